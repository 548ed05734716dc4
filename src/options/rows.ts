import { type AnyRow, isPlainObject, type Kind } from './kinds.ts'
import { type Place, quote } from './place.ts'
import { suggest } from './suggest.ts'

/** One option: its kind, and what it is when the host does not give it. */
export interface Row<In, Out> extends AnyRow {
  readonly kind: Kind<In, unknown>
  readonly fallback?: Out
  /** The value for `Config`; undefined once a problem has been added. */
  read(value: unknown, place: Place): Out | undefined
}
/** A row of an option that every host must give. */
export interface RequiredRow<In, Out> extends Row<In, Out> {
  readonly required: true
}
/** A row of an option that may be left out, or be undefined. */
export interface OptionalRow<In, Out> extends Row<In, Out> {
  readonly required: false
  readonly fallback: Out
}

/**
 * A table with a row for every member of `Options`, and for nothing else. An optional member must accept undefined, and have an
 * optional row. `satisfies` holds a table against the declared type, so that the two cannot differ.
 */
export type Table<Options> = {
  readonly [Name in keyof Options]-?: object extends Pick<Options, Name>
    ? undefined extends Required<Options>[Name]
      ? OptionalRow<Exclude<Options[Name], undefined>, unknown>
      : never
    : RequiredRow<Options[Name], unknown>
}

/** The type of the values that a table of options reads. */
export type ValuesOf<Rows> = {
  readonly [Name in keyof Rows]: Rows[Name] extends { read(value: unknown, place: Place): infer Out }
    ? Exclude<Out, undefined>
    : never
}

/** The kind says what to pass where the host gives nothing. */
export function required<In, Out>(kind: Kind<In, Out>): RequiredRow<In, Out> {
  return { required: true, kind, read: (value, place) => kind.read(value, place) }
}

/** `fallback` is the value where the host gives none: null for none at all. */
export function optional<In, Out, Fallback extends Out | null>(
  kind: Kind<In, Out>,
  fallback: Fallback,
): OptionalRow<In, Out | Fallback> {
  return {
    required: false,
    kind,
    fallback,
    read: (value, place) => (value === undefined ? fallback : kind.read(value, place)),
  }
}

/** An object with a table of its own that may be left out: all of its options then have their defaults. */
export function group<Options, Rows extends Table<Options>>(rows: Rows): OptionalRow<Options, ValuesOf<Rows>> {
  const defaults = Object.fromEntries(Object.entries<AnyRow>(rows as never).map(([name, { fallback }]) => [name, fallback]))
  return optional(members<Options, Rows>(rows), defaults as ValuesOf<Rows>)
}

/** An object with a table of its own. */
export function members<Options, Rows extends Table<Options>>(rows: Rows): Kind<Options, ValuesOf<Rows>> {
  const table = rows as Readonly<Record<string, AnyRow>>
  return {
    rows: table,
    read(value, place) {
      if (!isPlainObject(value))
        return place.refuse(`must be an object with ${Object.keys(table).join(', ')}, not ${quote(value)}`)
      const values = readRows<Rows>(rows, value, place)
      return Object.values(values).includes(undefined) ? undefined : (values as ValuesOf<Rows>)
    },
  }
}

/** Reads each row from an object: undefined for a value that is not valid. A name that is no option is a problem as well. */
export function readRows<Rows>(rows: Rows, given: object, place: Place): Partial<ValuesOf<Rows>> {
  const table = rows as Readonly<Record<string, AnyRow>>
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(table, name)) continue
    const meant = suggest(name, Object.keys(table))
    place.member(name).refuse(`is not an option${meant === undefined ? '' : `: did you mean ${meant}?`}`)
  }
  const values = Object.entries(table).map(([name, row]) => {
    const own = place.member(name)
    try {
      return [name, row.read((given as Readonly<Record<string, unknown>>)[name], own)]
    } catch (cause) {
      // A getter or a proxy of the host's may throw.
      return [name, own.refuse(`cannot be read${cause instanceof Error ? `: ${cause.message}` : ''}`)]
    }
  })
  return Object.fromEntries(values)
}

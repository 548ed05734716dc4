import { type Place, quote } from './place.ts'

/**
 * The values an option accepts, and what is made of one. `In` is the type that hosts write, `Out` the type in `Config`.
 * A kind is given any value whatever, and adds a problem for each that it does not accept.
 */
export interface Kind<In, Out = In> {
  /** Range and unit as the page of the options states them, such as `1–600 seconds`. */
  readonly range?: string
  /** The members of an object, where it has a table of its own. */
  readonly rows?: Readonly<Record<string, AnyRow>>
  /** The value to use; undefined once a problem has been added. */
  read(value: unknown, place: Place): Out | undefined
  /** Exists in types alone: makes `In` invariant, so that a row and a declared type must agree in both directions. */
  readonly in?: (value: In) => In
}

/** A row of a table of options, whatever its types. */
export interface AnyRow {
  readonly required: boolean
  readonly fallback?: unknown
  readonly kind: { readonly range?: string; readonly rows?: Readonly<Record<string, AnyRow>> }
  read(value: unknown, place: Place): unknown
}

/** `true` or `false`. */
export const flag: Kind<boolean> = {
  read: (value, place) => (typeof value === 'boolean' ? value : place.refuse(`must be true or false, not ${quote(value)}`)),
}

/** A whole number within a range, both ends included: stores and timers have no parts of a unit. */
export function number([low, high]: readonly [number, number], unit: string): Kind<number> {
  const [from, to] = [low, high].map(bound => bound.toLocaleString('en-US'))
  return {
    range: `${from}–${to} ${unit}`,
    read: (value, place) =>
      Number.isInteger(value) && Number(value) >= low && Number(value) <= high
        ? Number(value)
        : place.refuse(`must be a whole number between ${low} and ${high} (${unit}), not ${quote(value)}`),
  }
}

/** A text for which `usable` is true; `must` says in words which those are, as in `must be <must>`. */
export function text(must: string, usable: (value: string) => boolean): Kind<string> {
  return {
    read: (value, place) =>
      typeof value === 'string' && usable(value) ? value : place.refuse(`must be ${must}, not ${quote(value)}`),
  }
}

/** One of a few texts. */
export function oneOf<const Value extends string>(values: readonly Value[]): Kind<Value> {
  return {
    read: (value, place) =>
      values.find(known => known === value) ?? place.refuse(`must be one of ${values.join(', ')}, not ${quote(value)}`),
  }
}

/** A function of the host's. What it takes and returns is not looked at before it is called. */
export function hook<Hook>(): Kind<Hook> {
  return {
    read: (value, place) =>
      typeof value === 'function' ? (value as Hook) : place.refuse(`must be a function, not ${quote(value)}`),
  }
}

/** A list of values of one kind. `example` is part of the problem for any other value. */
export function list<In, Out>(item: Kind<In, Out>, example: string): Kind<readonly In[], readonly Out[]> {
  return {
    read(value, place) {
      if (!Array.isArray(value)) return place.refuse(`must be an array such as ${example}, not ${quote(value)}`)
      const read = Array.from(value, (one, index) => item.read(one, place.entry(index)))
      const usable = read.filter((one): one is Out & {} => one !== undefined)
      return usable.length === read.length ? usable : undefined
    },
  }
}

/** A list of at least one value. */
export function nonEmptyList<In, Out>(item: Kind<In, Out>, example: string): Kind<readonly In[], readonly [Out, ...Out[]]> {
  const any = list(item, example)
  return {
    read(value, place) {
      const [first, ...rest] = any.read(value, place) ?? []
      if (first !== undefined) return [first, ...rest]
      return Array.isArray(value) && value.length === 0 ? place.refuse(`must have at least one value: ${example}`) : undefined
    },
  }
}

/** An object that maps names to values of one kind. `example` is part of the problem for any other value. */
export function mapOf<In, Out>(
  entry: Kind<In, Out>,
  example: string,
): Kind<Readonly<Record<string, In>>, ReadonlyMap<string, Out>> {
  return {
    read(value, place) {
      if (!isPlainObject(value)) return place.refuse(`must be an object such as ${example}, not ${quote(value)}`)
      const entries = Object.entries(value).map(([key, one]) => [key, entry.read(one, place.entry(key))] as const)
      const usable = entries.filter((one): one is readonly [string, Out & {}] => one[1] !== undefined)
      return usable.length === entries.length ? new Map<string, Out>(usable) : undefined
    },
  }
}

/** An object as `{ … }` makes one, of any realm. Instances of classes, arrays, maps and dates are none. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

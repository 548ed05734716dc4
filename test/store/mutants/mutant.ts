import type { Store } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'

/** A store with one thing wrong, and the case that must notice it. */
export interface Mutant {
  /** The beginning of the case's name. */
  readonly by: string
  /** What is wrong with a store that is right, and whose clock is `now`. */
  readonly breaks: (store: Store, now: () => number) => Broken
}
export type Broken = { readonly [Part in keyof Store]?: Partial<Store[Part]> }
export type Mutants = Readonly<Record<string, Mutant>>

export function breakStore({ breaks }: Mutant, now: () => number): Store {
  const store = memoryStore({ now })
  const broken = breaks(store, now)
  const parts = Object.keys(store) as (keyof Store)[]
  return Object.fromEntries(parts.map(part => [part, { ...store[part], ...broken[part] }])) as unknown as Store
}

/** One part of a store whose clock is wrong. */
export function withClock<Part extends keyof Store>(part: Part, clock: () => number): Broken {
  return { [part]: memoryStore({ now: clock })[part] }
}

/** The members of a record that a version of the store knows. */
export function only<Value extends object>(value: Value, names: readonly string[]): Value {
  return Object.fromEntries(Object.entries(value).filter(([name]) => names.includes(name))) as Value
}

/** Ways in which databases take one text for another. */
export const FOLDS: Readonly<Record<string, (id: string) => string>> = {
  'in lower case': id => id.toLowerCase(),
  'without accents': id => id.normalize('NFD').replaceAll(/\p{M}/gu, ''),
  'in one normal form': id => id.normalize('NFC'),
  'without spaces at the end': id => id.trimEnd(),
  'up to a NUL': id => id.split('\0')[0] ?? '',
  'cut at 64': id => id.slice(0, 64),
  'cut at 255': id => id.slice(0, 255),
  'cut at 64 Ki less one': id => id.slice(0, 65_535),
}

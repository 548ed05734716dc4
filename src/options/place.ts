/** The name of one value among the options, and the list to which its problems are added. */
export class Place {
  readonly name: string
  readonly #problems: string[]

  constructor(name: string, problems: string[]) {
    this.name = name
    this.#problems = problems
  }

  /** Adds the problem `<name> <words>`, as in `mountPath must be …`. Returns undefined, the value of what cannot be used. */
  refuse(words: string): undefined {
    this.#problems.push(`${this.name} ${words}`)
    return undefined
  }

  /** Adds a problem that names its place itself. */
  add(problem: string): void {
    this.#problems.push(problem)
  }

  /** `lifetimes.codeSeconds` */
  member(name: string): Place {
    const shown = /^[\w$]{1,60}$/.test(name) ? name : quote(name)
    return new Place(this.name === '' ? shown : `${this.name}.${shown}`, this.#problems)
  }

  /** `signingKeys[0]`, `scopes["read:records"]` */
  entry(key: string | number): Place {
    return new Place(`${this.name}[${typeof key === 'number' ? key : quote(key)}]`, this.#problems)
  }
}

/** A value in words that are safe to print: a text is quoted and cut, an object or function is named by its kind alone. */
export function quote(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value)
  if (value === null || ['bigint', 'boolean', 'number', 'undefined'].includes(typeof value)) return String(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  return Array.isArray(value) ? 'an array' : 'an object'
}

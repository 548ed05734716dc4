import type { GrantedToken, Token } from '../../src/store/store.ts'

/** Keeps the `size` newest of the offered tokens, in a heap whose root is the oldest kept token. */
export class NewestTokens {
  readonly #size: number
  readonly #heap: GrantedToken[] = []

  constructor(size: number) {
    this.#size = size
  }

  offer(item: GrantedToken): void {
    const heap = this.#heap
    if (heap.length < this.#size) {
      let child = heap.push(item) - 1
      while (child > 0) {
        const parent = (child - 1) >> 1
        if (!this.#swapIfOlder(child, parent)) return
        child = parent
      }
    } else if (heap[0] && newerFirst(item.token, heap[0].token) < 0) {
      heap[0] = item
      this.#sink()
    }
  }

  sorted(): readonly GrantedToken[] {
    return this.#heap.toSorted((a, b) => newerFirst(a.token, b.token))
  }

  #sink(): void {
    const heap = this.#heap
    for (let parent = 0; ; ) {
      const left = heap[2 * parent + 1]
      const right = heap[2 * parent + 2]
      if (!left) return
      const older = right && newerFirst(right.token, left.token) > 0 ? 2 * parent + 2 : 2 * parent + 1
      if (!this.#swapIfOlder(older, parent)) return
      parent = older
    }
  }

  #swapIfOlder(child: number, parent: number): boolean {
    const [below, above] = [this.#heap[child], this.#heap[parent]]
    if (!below || !above || newerFirst(below.token, above.token) <= 0) return false
    this.#heap[child] = above
    this.#heap[parent] = below
    return true
  }
}

/** Compares two tokens in the order of a list: newest first, then by id. */
export function newerFirst(a: Pick<Token, 'issuedAt' | 'id'>, b: Pick<Token, 'issuedAt' | 'id'>): number {
  return b.issuedAt - a.issuedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

export function formatCursor({ id, issuedAt }: Token): string {
  return `${issuedAt}.${id}`
}

export function parseCursor(cursor: string): Pick<Token, 'issuedAt' | 'id'> {
  const [, issuedAt, id] = /^(\d+)\.(.*)$/.exec(cursor) ?? []
  // No token follows a text that is not a cursor.
  return { issuedAt: Number(issuedAt ?? Number.NEGATIVE_INFINITY), id: id ?? '' }
}

/**
 * A read that is sent once for all who ask the same within one turn of the event loop: under load most requests are of a few
 * apps. What a process has heard by a turn had happened before it, so nobody gets an answer that is older than their question;
 * call `forget` after a write, whose answer may come in the turn of an older read.
 */
export function oncePerTurn<Value>(read: (id: string) => Promise<Value>): {
  readonly get: (id: string) => Promise<Value>
  readonly forget: () => void
} {
  const asked = new Map<string, Promise<Value>>()
  const forget = () => asked.clear()
  return {
    forget,
    get(id) {
      const known = asked.get(id)
      if (known) return known
      if (asked.size === 0) setImmediate(forget)
      const answer = read(id)
      asked.set(id, answer)
      return answer
    },
  }
}

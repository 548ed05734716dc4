/**
 * Coalesces concurrent reads of one id: all callers in the same turn of the event loop share one read. Under load, most requests
 * are of a few apps. The read starts when the turn ends, so no caller gets an answer older than its call. All callers get the
 * same object.
 */
export function oncePerTurn<Value>(read: (id: string) => Promise<Value>): (id: string) => Promise<Value> {
  const asked = new Map<string, Promise<Value>>()
  let turn: Promise<void> | undefined
  return id => {
    turn ??= new Promise(ended => {
      setImmediate(() => {
        turn = undefined
        asked.clear()
        ended()
      })
    })
    const known = asked.get(id)
    if (known) return known
    const answer = turn.then(() => read(id))
    asked.set(id, answer)
    return answer
  }
}

/**
 * A read that is sent once for all who ask the same in one turn of the event loop: under load, most requests are of a few
 * apps. It is sent when the turn ends, so that the answer is never older than anyone's question; all get the same object.
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

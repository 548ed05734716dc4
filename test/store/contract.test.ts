/** The storage contract, on every store, its races over connections of their own. */
import type { Store } from 'authmount'
import { runStoreContract } from 'authmount/testing'
import t from 'tap'
import { newNamespace, stores } from '../support/stores.ts'

for (const [name, connect] of Object.entries(stores)) {
  t.test(name, async t => {
    const namespace = newNamespace()
    // The connections stay open for all cases; each case has a clock of its own.
    let now = Date.now
    const connections = await Promise.all((name === 'memory' ? [1] : [1, 2, 3, 4]).map(() => connect(namespace, () => now())))
    t.teardown(() => Promise.all(connections.map(({ close }) => close())))
    runStoreContract(t.test.bind(t), clock => {
      now = clock
      return connections.map(({ store }) => store) as [Store, ...Store[]]
    })
  })
}

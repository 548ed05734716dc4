/** The storage contract, on every store, its races over connections of their own. */
import type { Store } from 'authmount'
import { runStoreContract } from 'authmount/testing'
import t from 'tap'
import { newNamespace, stores } from '../support/stores.ts'

for (const [name, connect] of Object.entries(stores)) {
  t.test(name, async t => {
    const namespace = newNamespace()
    const connections = await Promise.all(name === 'memory' ? [connect(namespace)] : [1, 2, 3, 4].map(() => connect(namespace)))
    t.teardown(() => Promise.all(connections.map(({ close }) => close())))
    const all = connections.map(({ store }) => store) as [Store, ...Store[]]
    runStoreContract(t.test.bind(t), () => all)
  })
}

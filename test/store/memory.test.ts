import { memoryStore } from 'authmount/stores/memory'
import { runStoreContract } from 'authmount/testing'
import t from 'tap'

t.test('the contract', async t => runStoreContract(t.test.bind(t), () => memoryStore()))

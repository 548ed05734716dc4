import { addCases } from './add-cases.ts'
import { appCases } from './app-cases.ts'
import { appListCases } from './app-list-cases.ts'
import type { MakeStores, StoreCase } from './case.ts'
import { claimCases } from './claim-cases.ts'
import { consentCases } from './consent-cases.ts'
import { credentialCases } from './credential-cases.ts'
import { grantCases } from './grant-cases.ts'
import { idCases } from './id-cases.ts'
import { oneTimeCases } from './one-time-cases.ts'
import { recordCases } from './record-cases.ts'
import { revokeCases } from './revoke-cases.ts'
import { rotateCases } from './rotate-cases.ts'
import { tokenListCases } from './token-list-cases.ts'
import { unknownCases } from './unknown-cases.ts'

/** Every rule of the storage contract. */
export const storeCases: readonly StoreCase[] = [
  ...appCases,
  ...appListCases,
  ...oneTimeCases,
  ...claimCases,
  ...grantCases,
  ...rotateCases,
  ...addCases,
  ...revokeCases,
  ...tokenListCases,
  ...consentCases,
  ...credentialCases,
  ...idCases,
  ...unknownCases,
  ...recordCases,
]

/**
 * Registers every case with a test runner of any make: `runStoreContract(test, now => myStore({ now }))` for node:test,
 * `runStoreContract(t.test.bind(t), …)` for tap. Cases run one after the other.
 *
 * `makeStores` is called once per case, with the clock the store must use: it stands still, and is moved to the instants at
 * which records expire. Open pools and clients outside of it, once, and close them when the tests have ended:
 *
 * ```ts
 * const pools = [1, 2, 3, 4].map(() => new Pool({ connectionString, max: 3 }))
 * after(() => Promise.all(pools.map(pool => pool.end())))
 * runStoreContract(test, now => pools.map(pool => myStore(pool, { now })) as [Store, ...Store[]])
 * ```
 *
 * Give several stores where they talk to a server, each with connections of its own to one database: calls that share a
 * connection hardly race. The records are left behind: use a database for tests.
 */
export function runStoreContract(test: (name: string, run: () => Promise<void>) => unknown, makeStores: MakeStores): void {
  for (const { name, run } of storeCases) test(name, () => run(makeStores))
}

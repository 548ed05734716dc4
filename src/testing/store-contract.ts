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

/** Every rule of the storage contract, with its check. */
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
 * Registers every case with any test runner: `runStoreContract(test, now => myStore({ now }))` for node:test,
 * `runStoreContract(t.test.bind(t), …)` for tap. Cases run one after the other.
 *
 * `makeStores` is called once per case, with the clock that the store must use. The clock stands still, and the case moves it to
 * the instants at which records expire. Open pools and clients once, outside of `makeStores`, and close them after the tests:
 *
 * ```ts
 * const pools = [1, 2, 3, 4].map(() => new Pool({ connectionString, max: 3 }))
 * after(() => Promise.all(pools.map(pool => pool.end())))
 * runStoreContract(test, now => pools.map(pool => myStore(pool, { now })) as [Store, ...Store[]])
 * ```
 *
 * Make several stores for a database server, each with its own connections to the same database, because calls on a shared
 * connection hardly race. The cases leave their records behind: use a database for tests.
 */
export function runStoreContract(test: (name: string, run: () => Promise<void>) => unknown, makeStores: MakeStores): void {
  for (const { name, run } of storeCases) test(name, () => run(makeStores))
}

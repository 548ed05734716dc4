export type { MakeStores, StoreCase } from './case.ts'
export { runStoreContract, storeCases } from './store-contract.ts'

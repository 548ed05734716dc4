export { runStoreContract, type StoreCase, storeCases } from './store-contract.ts'

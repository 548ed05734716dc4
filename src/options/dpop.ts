import { flag, oneOf } from './kinds.ts'
import { optional, type Table } from './rows.ts'

/** How the proofs of clients are checked that bind their tokens to a key. */
export interface DpopProofs {
  /**
   * Demand a nonce of this server in each proof, so that none can be made in advance: clients get it with their first refusal, and
   * every few minutes a new one. Nothing is stored. Needs `sealingKeys`: without them no nonce is demanded. Default `true`.
   */
  readonly nonces?: boolean | undefined
  /**
   * Where it is kept which proofs were used. `process`: each process remembers its own. `store`: all processes refuse what one has
   * seen, for one write with each request that has a proof. Default `process`.
   * @see docs/bound-tokens.md#replays
   */
  readonly replays?: 'process' | 'store' | undefined
}

export const DPOP_PROOFS = {
  nonces: optional(flag, true),
  replays: optional(oneOf(['process', 'store']), 'process'),
} satisfies Table<DpopProofs>

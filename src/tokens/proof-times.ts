/** How old a proof may be by its `iat` (RFC 9449 §11.1): a client's clock may be wrong by minutes. */
export const PROOF_AGE_MS = 300_000
/** How far its `iat` may be in the future. */
export const PROOF_AHEAD_MS = 60_000
/** How long one proof can be accepted in all. */
export const PROOF_MS = PROOF_AGE_MS + PROOF_AHEAD_MS

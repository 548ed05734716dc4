export { OAuthError } from '../errors/oauth-error.ts'
export type { TokenGuard, TokenInfo, TokenRequirements } from '../tokens/token-guard.ts'
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

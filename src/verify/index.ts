export type { TokenGuard, TokenRequirements } from '../authmount.ts'
export type { TokenInfo } from '../bearer/bearer.ts'
export { OAuthError } from '../errors/oauth-error.ts'
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

export type { TokenGuard, TokenRequirements } from '../authmount.ts'
export { OAuthError } from '../errors/oauth-error.ts'
export type { TokenInfo } from '../oauth/bearer.ts'
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

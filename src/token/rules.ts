import type { JsonObject } from '../base/json.ts'
import { askUserClaims, USER_GONE } from '../oidc/id-token.ts'
import type { Context } from '../options/context.ts'
import { askTokenClaims } from '../rules/access-token-claims.ts'
import { deniedTokenCode, deny, HostDenial, NOT_ALLOWED } from '../rules/deny.ts'
import { type Asked, askPolicy } from '../rules/policy.ts'

/** A request for tokens that has been checked, and has spent nothing yet. */
export interface AskedTokens extends Asked {
  readonly grantType: string
}

/** What the host's rules make of it. */
export interface Ruled {
  readonly scopes: readonly string[]
  /** The claims that the host adds to the access token. */
  readonly claims: JsonObject | undefined
  /** The user's claims for the ID token; undefined: not asked for. */
  readonly userClaims: JsonObject | undefined
  readonly accessTokenSeconds: number | undefined
  readonly refreshTokenSeconds: number | undefined
}

/** The end of what was presented, where that was nothing. */
export async function spendNothing(): Promise<void> {}

/**
 * Asks every rule of the host's, before anything is spent or stored: `policy` first, which may narrow the scopes, then the two that
 * say what a token tells. If the host denies the tokens, calls `end` with what was presented still live, and rejects with OAuthError;
 * if a function fails, rejects with Error, and the client can try again with what it has.
 */
export async function applyRules(
  event: 'token' | 'refresh',
  asked: AskedTokens,
  end: () => Promise<void>,
  context: Context,
): Promise<Ruled> {
  const { app, of } = asked
  const { config } = context
  const { userId } = of
  try {
    const { accessTokenSeconds, refreshTokenSeconds, scopes } = await askPolicy(event, asked, context)
    const left = { ...asked, scopes }
    const [claims, userClaims] = await Promise.all([
      askTokenClaims(left, context),
      userId === null || config.claims === null ? undefined : askUserClaims({ app, grant: of, scopes }, userId, context),
    ])
    const code = deniedTokenCode(asked)
    if (userClaims === null) throw deny(asked, { during: event, by: 'claims' }, { code, description: USER_GONE }, context)
    if (claims === null)
      throw deny(asked, { during: event, by: 'accessTokenClaims' }, { code, description: NOT_ALLOWED }, context)
    return { scopes, claims, userClaims, accessTokenSeconds, refreshTokenSeconds }
  } catch (error) {
    if (error instanceof HostDenial) await end()
    throw error
  }
}

import { wireId } from '../base/ids.ts'
import type { EpochMs } from '../base/time.ts'
import { InsufficientScope } from '../errors/insufficient-scope.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { App, GrantedToken } from '../store/store.ts'
import type { TokenInfo } from '../tokens/token-guard.ts'
import { tokenRef } from '../tokens/token-ref.ts'

/** The requirements of a route. */
export interface BearerRequirements {
  /** The scopes it must have, all of them. */
  readonly scopes: readonly string[]
  /** The resource the route belongs to; undefined: the authorization server itself. */
  readonly resource?: string
  /** Whether the token comes with a proof of its key: it must then be bound, and must not be otherwise. Default false. */
  readonly bound?: boolean
}

/** A valid access token, with its grant and its app. */
export interface BearerToken extends GrantedToken {
  readonly app: App
}

/**
 * Finds an access token that is valid for the resource and has all the scopes (RFC 6750 §3.1, RFC 9068 §4).
 * Rejects with OAuthError `invalid_token` (401) or `insufficient_scope` (403), or with StoreError.
 */
export function findBearer(
  token: string,
  required: BearerRequirements,
  { store, now }: Pick<Context, 'store' | 'now'>,
): Promise<BearerToken> {
  const ref = tokenRef(token)
  if (ref?.kind !== 'access') return Promise.reject(invalidToken())
  // The grant may be live while its app has revoked everything since (`epoch`), so both are read.
  return store.appAndToken(ref.appId, ref, (app, found) => goodFor(required, app, found, now))
}

function goodFor(
  { bound = false, resource, scopes }: BearerRequirements,
  app: App | undefined,
  found: GrantedToken | undefined,
  now: EpochMs,
): BearerToken {
  if (found?.token.kind !== 'access' || found.token.expiresAt <= now) throw invalidToken()
  if (found.grant.appId !== app?.id || found.grant.epoch !== app.epoch || app.status === 'deleted') throw invalidToken()
  const { audience, jkt } = found.token
  // RFC 9449 §7.2: taken without a proof, a bound token would be as good to a thief as to its client.
  if ((jkt !== undefined) !== bound) throw wrongScheme(bound)
  if (audience && resource !== undefined && !audience.includes(resource))
    throw new OAuthError('invalid_token', 'the access token is for another resource')
  for (const scope of scopes) {
    if (!found.token.scopes.includes(scope)) throw new InsufficientScope(scopes, found.token.scopes)
  }
  return { app, grant: found.grant, token: found.token }
}

/** Converts a token for the host's route. */
export function tokenInfo({ app, grant, token }: BearerToken): TokenInfo {
  const { id: grantId, orgId, userId } = grant
  const clientId = wireId(app)
  const { expiresAt, scopes } = token
  return { clientId, userId, orgId, scopes, grantId, expiresAt }
}

function wrongScheme(bound: boolean): OAuthError {
  return new OAuthError(
    'invalid_token',
    bound
      ? 'the access token is not bound to a key: send it as Bearer'
      : 'the access token is bound to a key: send it as DPoP, with a proof',
  )
}

function invalidToken(): OAuthError {
  return new OAuthError('invalid_token', 'the access token is unknown, expired or revoked')
}

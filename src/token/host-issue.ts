import { newGrantId } from '../base/ids.ts'
import { narrow, requestedScopes, scopesOfApp, scopesWithoutUser } from '../clients/allowed-scopes.ts'
import { mayActForItself } from '../clients/client-facts.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { IssueOrder } from '../options/grants.ts'
import type { TokenRequest } from './grant.ts'
import { announceGrant, createGrant, type Issued, requireSigningKeys } from './issue.ts'

/** The tokens that a host's grant asks for, with the lifetimes that a class for the engine may shorten. */
export interface HostOrder extends IssueOrder {
  readonly refreshTokenSeconds?: number | undefined
}

/**
 * Issues tokens for a host's grant. The grant is trusted to name the user and nothing else: scopes and lifetimes are checked
 * here, whatever the grant has checked before.
 * Rejects with OAuthError, with TypeError for an order that cannot be met, or with StoreError.
 */
export async function issueForHost(
  name: string,
  order: HostOrder,
  { app, audience, params }: TokenRequest,
  context: Context,
): Promise<Issued> {
  const { orgId, refreshable = false, userId } = order
  if (!isOwnerId(orgId) || !(userId === null || isOwnerId(userId)))
    throw new TypeError(`the grant ${name} must say whose it is: { userId, orgId }, each 1 to 255 characters, or userId null`)
  if (userId === null && !mayActForItself(app))
    throw new OAuthError('unauthorized_client', 'this app may act only for users, not for itself')
  const accessTokenSeconds = lifetime(name, order.accessTokenSeconds)
  const refreshTokenSeconds = lifetime(name, order.refreshTokenSeconds)

  const { config, now } = context
  const allowed = userId === null ? scopesWithoutUser(app, config.scopes) : scopesOfApp(app, config.scopes)
  const scopes = scopesOf(order.scopes, params.get('scope'), allowed)
  await requireSigningKeys(scopes, context)
  const grant = {
    id: newGrantId(app.id),
    appId: app.id,
    orgId,
    userId,
    scopes,
    createdAt: now,
    epoch: app.epoch,
    context: audience === null ? {} : { audience },
  }
  const issued = await createGrant(
    {
      app,
      grant,
      scopes,
      audience,
      refreshable: refreshable && userId !== null,
      renewed: false,
      ...(accessTokenSeconds !== undefined && { accessTokenSeconds }),
      ...(refreshTokenSeconds !== undefined && { refreshTokenSeconds }),
    },
    context,
  )
  announceGrant(issued, name, context)
  return issued
}

function scopesOf(ordered: readonly string[] | undefined, asked: string | undefined, allowed: readonly string[]) {
  if (ordered !== undefined) {
    if (!Array.isArray(ordered) || ordered.some(scope => typeof scope !== 'string'))
      throw new TypeError('scopes of a grant must be an array of strings')
    const scopes = [...new Set(narrow(ordered, allowed))]
    if (scopes.length < new Set(ordered).size || scopes.length === 0)
      throw new OAuthError('invalid_scope', 'scope asks for something this app may not have')
    return scopes
  }
  const scopes = asked === undefined ? allowed : requestedScopes(asked, allowed)
  if (scopes.length === 0) throw new OAuthError('invalid_scope', 'this app has no scope it could use with this grant')
  return scopes
}

function lifetime(name: string, seconds: number | undefined): number | undefined {
  if (seconds === undefined) return undefined
  if (!(Number.isFinite(seconds) && seconds >= 1)) throw new TypeError(`the grant ${name} wants a token that has expired already`)
  return Math.floor(seconds)
}

function isOwnerId(id: unknown): id is string {
  return typeof id === 'string' && id.length > 0 && id.length <= 255
}

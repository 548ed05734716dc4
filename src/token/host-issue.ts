import { newGrantId } from '../base/ids.ts'
import { narrow, scopesForItself, scopesForUser, scopesOfApp, scopesWithoutUser } from '../clients/allowed-scopes.ts'
import { mayActForItself } from '../clients/client-facts.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { IssueOrder } from '../options/grants.ts'
import type { App } from '../store/store.ts'
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
  const scopes = scopesOf(order, params.get('scope'), app, config)
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

function scopesOf({ scopes, userId }: HostOrder, asked: string | undefined, app: App, config: Context['config']) {
  if (scopes === undefined) return userId === null ? scopesForItself(asked, app, config) : scopesForUser(asked, app, config)
  if (!Array.isArray(scopes) || scopes.some(scope => typeof scope !== 'string'))
    throw new TypeError('scopes of a grant must be an array of strings')
  const allowed = userId === null ? scopesWithoutUser(app, config.scopes) : scopesOfApp(app, config.scopes)
  const ordered = [...new Set<string>(scopes)]
  if (ordered.length === 0 || narrow(ordered, allowed).length < ordered.length)
    throw new OAuthError('invalid_scope', 'the grant orders scopes that this app may not have')
  return ordered
}

function lifetime(name: string, seconds: number | undefined): number | undefined {
  if (seconds === undefined) return undefined
  if (!(Number.isFinite(seconds) && seconds >= 1)) throw new TypeError(`the grant ${name} wants a token that has expired already`)
  return Math.floor(seconds)
}

function isOwnerId(id: unknown): id is string {
  return typeof id === 'string' && id.length > 0 && id.length <= 255
}

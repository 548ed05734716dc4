import { z } from 'zod'
import { sha256 } from '../base/crypto.ts'
import { wireId } from '../base/ids.ts'
import { sweepRevoked } from '../clients/sweep-revoked.ts'
import { checkQuery } from '../http/check-input.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import type { App, Grant, Token } from '../store/store.ts'
import { actor } from './apps.ts'
import { changeApp, findApp } from './change-app.ts'

export const listTokensQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(1000),
  after: z.string().max(500).optional(),
})

export const tokenViewSchema = z.object({
  id: z.string(),
  tokenType: z.enum(['access', 'refresh']),
  userId: z.string().optional(),
  scopes: z.array(z.string()),
  createdAt: z.iso.datetime({ precision: 3 }),
  expiresAt: z.iso.datetime({ precision: 3 }),
  isRevoked: z.literal(false),
})

/** GET /oauth-clients/{appId}/tokens: every live token, newest first. The Link header has the next page (RFC 8288). */
export async function listTokens(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const { config, store } = context
  const { after, limit } = checkQuery(listTokensQuery, request)
  const { epoch, id: appId } = await findApp(request, context)
  const page = await store.grants.listTokens({ appId, epoch, limit, ...(after === undefined ? {} : { after }) })
  if (page.next === null) return json(200, page.items.map(viewToken))
  const next = new URLSearchParams({ limit: String(limit), after: page.next })
  const url = `${config.origin}${config.mountPath}/oauth-clients/${appId}/tokens?${next}`
  return json(200, page.items.map(viewToken), { link: `<${url}>; rel="next"` })
}

/** POST /oauth-clients/{appId}/revoke-all-tokens. One write ends every token, including those being issued now. */
export async function revokeAllTokens(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  let changed: App | undefined
  let count: number | null = null
  try {
    await changeApp(
      request,
      context,
      ({ epoch }) => ({ epoch: epoch + 1 }),
      app => {
        changed = app
      },
    )
    // Counted after the write: no token is added to an epoch that is over.
    if (changed) count = (await context.store.grants.listTokens({ appId: changed.id, epoch: changed.epoch - 1, limit: 0 })).total
    return json(200, { message: 'All tokens revoked successfully', count })
  } finally {
    if (changed) {
      sweepRevoked(changed, context)
      context.events.emit({ type: 'app_tokens_revoked', ...actor(context), clientId: wireId(changed), count })
    }
  }
}

function viewToken({ grant, token }: { readonly grant: Grant; readonly token: Token }): z.output<typeof tokenViewSchema> {
  return {
    // A digest of the stored id: the id is the token's hash, which clients must not learn.
    id: sha256(`listed ${token.id}`),
    tokenType: token.kind,
    ...(grant.userId === null ? {} : { userId: grant.userId }),
    scopes: [...token.scopes],
    createdAt: new Date(token.issuedAt).toISOString(),
    expiresAt: new Date(token.expiresAt).toISOString(),
    isRevoked: false,
  }
}

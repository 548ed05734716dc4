import { z } from 'zod'
import { isAppId, wireId } from '../base/ids.ts'
import { type Decision, decideAdmission, findAdmission, MAX_PENDING, pendingOf } from '../clients/admission.ts'
import { isSelfRegistered } from '../clients/find-client.ts'
import { hostOf } from '../clients/self-registered.ts'
import { ApiError } from '../errors/api-error.ts'
import { checkQuery } from '../http/check-input.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import type { App, Consent } from '../store/store.ts'

/** A client that nobody registered by hand, as the admins of an organisation see it. What it says of itself is unchecked. */
export const unregisteredViewSchema = z.object({
  id: z.string(),
  clientId: z.string(),
  origin: z.enum(['metadata', 'registered']),
  /** Its host, which is proven; null if it has none. */
  host: z.string().nullable(),
  name: z.string(),
  state: z.enum(['pending', 'allowed', 'refused', 'used']),
  redirectHosts: z.array(z.string()),
  scopes: z.array(z.string()),
  /** When this organisation first heard of it, or when an admin last decided. */
  since: z.string(),
  firstSeen: z.string(),
  lastUsed: z.string().nullable(),
  /** The user who asks for it. */
  askedBy: z.string().nullable(),
  /** Whether the host has blocked it for everyone. */
  isBlocked: z.boolean(),
})

export const listUnregisteredQuery = z.strictObject({
  after: z.string().max(1000).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
})

/**
 * GET /oauth-clients/unregistered: the clients that wait for an admin of the organisation, all of them on the first page, and those
 * that its users let in or its admins decided on, a page at a time.
 */
export async function listUnregistered(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const { principal, store } = context
  const { after, limit } = checkQuery(listUnregisteredQuery, request)
  const { orgId } = principal
  const [waiting, known] = await Promise.all([
    after === undefined ? store.consents.list(pendingOf(orgId), { limit: 2 * MAX_PENDING.organization }) : undefined,
    store.consents.list({ orgId }, { limit, ...(after === undefined ? {} : { after }) }),
  ])
  const [pending, decided] = await Promise.all([views(waiting?.items ?? [], context), views(known.items, context)])
  return json(200, { pending, data: decided, next: known.next })
}

async function views(records: readonly Consent[], { store }: SignedInContext): Promise<readonly object[]> {
  const apps = await Promise.all(records.map(({ appId }) => store.apps.get(appId)))
  return records.flatMap((record, index) => {
    const app = apps[index]
    return app && isSelfRegistered(app) && app.status !== 'deleted' ? [view(app, record)] : []
  })
}

function view(app: App, record: Consent): z.output<typeof unregisteredViewSchema> {
  return {
    id: app.id,
    clientId: wireId(app),
    origin: app.origin === 'metadata' ? 'metadata' : 'registered',
    host: hostOf(app),
    name: app.name,
    state: record.state ?? 'used',
    redirectHosts: [...new Set(app.redirectUris.map(placeOf))],
    scopes: [...record.scopes],
    since: new Date(record.grantedAt).toISOString(),
    // Of this organisation alone: when others met or use the client is not told here.
    firstSeen: new Date(record.firstSeenAt ?? record.grantedAt).toISOString(),
    lastUsed: record.lastUsedAt === undefined ? null : new Date(record.lastUsedAt).toISOString(),
    askedBy: record.askedBy ?? null,
    isBlocked: app.status === 'suspended',
  }
}

/** The host of a redirect URI; of a private scheme, whose rest names nobody, the scheme. */
function placeOf(uri: string): string {
  const { host, protocol } = new URL(uri)
  return /^https?:$/.test(protocol) ? host : protocol
}

/** POST /oauth-clients/unregistered/{appId}/allow: users of the organisation may let the client in. */
export function allowUnregistered(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  return decide('allow', request, context)
}

/** POST /oauth-clients/unregistered/{appId}/refuse: the client may not come, and what it holds in the organisation ends. */
export function refuseUnregistered(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  return decide('refuse', request, context)
}

/** POST /oauth-clients/unregistered/{appId}/end: what the client holds in the organisation ends; users are asked again. */
export function endUnregistered(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  return decide('end', request, context)
}

async function decide(decision: Decision, { params }: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const { principal, store } = context
  const appId = params.appId ?? ''
  const app = isAppId(appId) ? await store.apps.get(appId) : undefined
  // What another organisation knows of a client is not told here.
  const known = app && isSelfRegistered(app) ? await findAdmission(principal.orgId, appId, context) : undefined
  if (!app || !known) throw new ApiError('NOT_FOUND', 'your organisation knows no such client')
  const revoked = await decideAdmission(app, decision, principal, context)
  const now = await findAdmission(principal.orgId, appId, context)
  return json(200, { client: view(app, now ?? known), revoked })
}

import { randomId, sha256 } from '../base/crypto.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, optional, type Params, readParams, requireForm } from '../http/params.ts'
import { redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { Connectors } from '../options/connectors.ts'
import type { Context } from '../options/context.ts'
import type { OneTimeData } from '../store/store.ts'
import { open, seal } from '../tokens/sealing.ts'
import { clearBrowserCookie, isSameBrowser } from './browser-cookie.ts'
import { credentialKey, keepConnected, requireConnectors } from './credentials.ts'
import { findProvider } from './find-provider.ts'
import { atSite, type Provider } from './provider.ts'

type Flow = OneTimeData['connector_state']

/**
 * GET /connectors/oauth/callback: receives the provider's answer (RFC 6749 §4.1.2). A request that does not belong to a flow of
 * this browser is refused with an error page; every other ends on the front end's success or error page.
 */
export async function connectorCallback(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, events, now, store } = context
  const { connectors } = requireConnectors(context)
  const params = await openPosted(readParams(request.query), connectors)
  const state = one(params, 'state')
  const id = sha256(state)
  const entry = await store.oneTime.peek('connector_state', id)
  if (!entry) throw notOpen()
  checkBrowser(entry.data, state, request, context)
  const provider = await findProvider(entry.data.connectorId, entry.data, config)
  // Before the state is consumed: an answer of another issuer must not end the flow (RFC 9207 §2.4).
  const iss = optional(params, 'iss') ?? null
  if (
    iss !== null &&
    typeof provider === 'object' &&
    provider?.issuer !== undefined &&
    withoutSlash(iss) !== withoutSlash(provider.issuer)
  )
    throw new OAuthError('invalid_request', 'iss is not the provider this flow was begun with')
  const taken = await store.oneTime.consume('connector_state', id, randomId(16))
  if (!taken?.first) throw notOpen()

  const { connectorId, orgId, returnTo, userId } = entry.data
  const of = { at: now, connectorId, orgId, userId }
  const back = (path: string, extra: Readonly<Record<string, string>>) => {
    const response = redirect(302, withParams(`${returnTo}${path}`, { connectorId, ...extra }))
    return { ...response, headers: { ...response.headers, 'set-cookie': clearBrowserCookie(state, config) } }
  }
  try {
    await connect(provider, entry.data, params, context)
    events.emit({ type: 'connector_connected', ...of })
    return back(connectors.successPath, {})
  } catch (cause) {
    if (!(cause instanceof ConnectorError)) throw cause
    config.log.error('an outside account could not be connected', cause)
    events.emit({ type: 'connector_failed', ...of, error: cause.code })
    return back(connectors.errorPath, { error: cause.code })
  }
}

/**
 * POST /connectors/oauth/callback: the same by OAuth 2.0 Form Post Response Mode, which Apple uses.
 *
 * Browsers send no `SameSite=Lax` cookie with a POST from another site, neither ours nor the host's session. So the answer
 * redirects to GET of the same address, with which they do. The parameters are sealed in the URL: Apple posts names and e-mail
 * addresses, which must not get into logs and histories.
 */
export async function postedConnectorCallback(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { sealingKeys } = requireConnectors(context).connectors
  const params = requireForm(request)
  one(params, 'state')
  const text = JSON.stringify([...params])
  if (Buffer.byteLength(text) > MAX_POSTED) throw new OAuthError('invalid_request', 'the body is too large', { status: 413 })
  // Relative, because a proxy may serve this path under another host or prefix.
  return redirect(303, `?${POSTED}=${await seal(text, POSTED_PURPOSE, sealingKeys)}`)
}

const POSTED = 'posted'
const POSTED_PURPOSE = 'posted connector callback'

/** The most bytes of a posted body. Sealing adds a third, and the URL must fit into the 8 KiB request line that servers accept. */
const MAX_POSTED = 4096

/** Opens the parameters of a posted callback; returns any others as they are. */
async function openPosted(params: Params, { sealingKeys }: Connectors): Promise<Params> {
  const sealed = optional(params, POSTED)
  if (sealed === undefined) return params
  try {
    return new Map(JSON.parse(await open(sealed, POSTED_PURPOSE, sealingKeys)))
  } catch (cause) {
    throw new OAuthError('invalid_request', `${POSTED} was not made by this server`, { cause })
  }
}

/** Checks that the browser is that of the user who began the flow: by the host's session, or by the cookie if nobody is signed in. */
function checkBrowser(flow: Flow, state: string, request: HttpRequest, { config, principal }: Context): void {
  const own = principal ? principal.userId === flow.userId && principal.orgId === flow.orgId : undefined
  const bound = flow.binding === null || isSameBrowser(flow.binding, state, request, config)
  if (own === false || (own === undefined && !bound))
    throw new OAuthError('access_denied', 'this flow was begun by someone else: start again', { status: 403 })
}

/** Redeems the code, and stores the tokens. Rejects with ConnectorError or StoreError. */
async function connect(provider: Provider | 'no-oauth' | null, flow: Flow, params: Params, context: Context): Promise<void> {
  const { connectors, upstreams } = requireConnectors(context)
  if (provider === null || provider === 'no-oauth') throw new ConnectorError('not_configured', 'the connector no longer exists')
  const error = optional(params, 'error')
  if (error !== undefined) throw refused(error)
  const code = optional(params, 'code')
  if (code === undefined) throw new ConnectorError('invalid_response', 'the provider sent neither code nor error')

  const { codeVerifier, connectorId, nonce, redirectUri } = flow
  const iss = optional(params, 'iss') ?? null
  const site = siteOf(provider, params)
  const there = atSite(provider, site)
  const kept = keptOf(provider, params)
  const tokens = await upstreams.exchangeCode(there, { code, redirectUri, codeVerifier, nonce, iss })
  const connection = { key: credentialKey(connectorId, flow, connectors), provider: there, site }
  await keepConnected({ ...tokens, details: { ...kept, ...tokens.details } }, connection, context)
}

/** Reads which of the provider's declared sites has the account. */
function siteOf({ sites }: Provider, params: Params): string | null {
  const site = sites && optional(params, sites.parameter)
  if (sites === undefined || site === undefined) return null
  if (!Object.hasOwn(sites.endpoints, site))
    throw new ConnectorError('invalid_response', 'the callback names a site that the provider has not declared')
  return site
}

/** Collects the callback's parameters that `keep` of the provider names, except those of the protocol (RFC 6749 §4.1.2). */
function keptOf({ keep = [] }: Provider, params: Params): Readonly<Record<string, string>> {
  const kept = keep.flatMap(name => {
    const value = PROTOCOL.includes(name) ? undefined : optional(params, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  if (kept.some(([, value]) => value.length > MAX_KEPT))
    throw new ConnectorError(
      'invalid_response',
      `a parameter of the callback that keep names is longer than ${MAX_KEPT} characters`,
    )
  return Object.fromEntries(kept)
}

const PROTOCOL: readonly string[] = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri', 'baseUrl']

/** 1,024 characters, enough for an id or Apple's `user`. They are stored with the credential. */
const MAX_KEPT = 1024

/** Converts an error of the provider (RFC 6749 §4.1.2.1; OpenID Connect Core §3.1.2.6). Its description is not passed on. */
function refused(error: string): ConnectorError {
  if (error === 'access_denied') return new ConnectorError('access_denied', 'the user or the provider denied access')
  if (error === 'temporarily_unavailable' || error === 'server_error')
    return new ConnectorError('provider_unavailable', `the provider answered ${error}`)
  return new ConnectorError('provider_refused', 'the provider answered with an error')
}

function notOpen(): OAuthError {
  return new OAuthError('invalid_request', 'state is unknown, used or expired: start again')
}

/** Removes a trailing slash, on which providers and their documentation disagree. The exchange later compares byte for byte. */
function withoutSlash(issuer: string): string {
  return issuer.replace(/\/$/, '')
}

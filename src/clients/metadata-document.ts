import { isDeepStrictEqual } from 'node:util'
import { appIdOf, wireId } from '../base/ids.ts'
import type { EpochMs } from '../base/time.ts'
import { withTimeout } from '../base/timeout.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { RateLimitError } from '../errors/rate-limit-error.ts'
import type { SignedInContext } from '../options/context.ts'
import type { Outbound } from '../outbound/outbound.ts'
import { OutboundError } from '../outbound/outbound-url.ts'
import type { App } from '../store/store.ts'
import { type ClientMetadata, MetadataError, readClientMetadata } from './client-metadata.ts'
import { selfRegisteredApp } from './self-registered.ts'

/*
 * Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): the `client_id` is the https URL of a JSON
 * document in which the client describes itself.
 */

/** The most bytes of a document. */
export const MAX_DOCUMENT_BYTES = 5 * 1024
/** How long reading one may take, in milliseconds. */
export const DOCUMENT_TIMEOUT_MS = 5000

/** How long a document is believed: what its `max-age` says, within these bounds, in milliseconds. */
const FRESH_MS = { least: 300_000, most: 86_400_000, unsaid: 3_600_000 }
/** How long the last good copy serves while the document cannot be read, in milliseconds. */
const STALE_MS = 86_400_000
/** How long a document that could not be read is not tried again, where a good copy serves meanwhile, in milliseconds. */
const PAUSE_MS = 60_000

/**
 * Tells whether a `client_id` is the URL of a document: https with a path, without a fragment, a user name or dot segments.
 * It is compared and fetched as it stands; one that a URL parser would change names no document.
 */
export function isDocumentUrl(clientId: string): boolean {
  if (!clientId.startsWith('https://') || clientId.length > 2048 || !URL.canParse(clientId)) return false
  const { hash, href, password, pathname, username } = new URL(clientId)
  if (href !== clientId || hash !== '' || clientId.includes('#') || username !== '' || password !== '') return false
  if (pathname === '/') return false
  return !pathname.split('/').some(segment => /^(\.|%2e){1,2}$/i.test(segment))
}

/** Reads documents, each once at a time. */
export interface Documents {
  /**
   * Reads the document of a client, and resolves to its stored record. `app` is the record there is, if any: it serves for a day
   * while the document cannot be read.
   * Rejects with OAuthError `invalid_client` for a document that cannot be used, with RateLimitError, or with StoreError.
   */
  read(url: string, app: App | undefined, context: SignedInContext): Promise<App>
}

/** What reading a document came to. */
type Outcome = { readonly document: unknown; readonly freshMs: number } | { readonly problem: string }

export function createDocuments(outbound: () => Promise<Outbound>): Documents {
  const underWay = new Map<string, Promise<Outcome>>()
  const paused = new TtlCache<true>(1000)

  /** One request for a document at a time: whoever comes meanwhile gets its outcome too, and is not counted. */
  async function fetchOnce(url: string, { principal, services, store }: SignedInContext): Promise<Outcome> {
    if (!underWay.has(url)) {
      await services.limits.count('documents', [principal.orgId, principal.userId], store)
      await services.limits.count('documentsOfHost', [new URL(url).host], store)
    }
    const reading =
      underWay.get(url) ??
      outbound()
        .then(client => fetchDocument(url, client))
        .finally(() => underWay.delete(url))
    underWay.set(url, reading)
    return reading
  }

  return {
    async read(url, app, context) {
      const { config, now } = context
      const serves = app !== undefined && now < (app.freshUntil ?? 0) + STALE_MS
      if (serves && paused.get(url, now)) return app
      let problem: string
      try {
        const outcome = await fetchOnce(url, context)
        if (!('problem' in outcome)) return await keepDocument(url, outcome, context)
        problem = outcome.problem
      } catch (error) {
        if (error instanceof RateLimitError && serves) return app
        if (!(error instanceof MetadataError)) throw error
        problem = error.problem.description
      }
      if (!serves) throw unusable(url, problem)
      config.log.warn(`the document of the client ${url} cannot be used, its last good copy serves: ${problem}`)
      paused.set(url, true, now + PAUSE_MS)
      return app
    },
  }
}

function unusable(url: string, problem: string): OAuthError {
  return new OAuthError('invalid_client', `the client's metadata document cannot be used: ${problem}`, {
    status: 400,
    told: { message: 'badDocument', app: new URL(url).host },
  })
}

async function fetchDocument(url: string, outbound: Outbound): Promise<Outcome> {
  try {
    const response = await outbound.fetch(url, { headers: { accept: 'application/json' } })
    if (response.status !== 200) return { problem: `its URL answered ${response.status}, and must answer 200` }
    const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
    if (!/^application\/([\w.-]+\+)?json$/.test(type)) return { problem: 'its content type must be application/json' }
    return { document: JSON.parse(await response.text()), freshMs: freshMs(response.headers) }
  } catch (error) {
    if (error instanceof OutboundError) return { problem: PROBLEMS[error.reason] }
    if (error instanceof SyntaxError) return { problem: 'it is not JSON' }
    throw error
  }
}

/** Said to the client's developer, and to nobody more than is known outside: not which address a name has, nor which error came. */
const PROBLEMS: Readonly<Record<OutboundError['reason'], string>> = {
  refused: 'its URL is not one that this server may call',
  timeout: `its URL did not answer within ${DOCUMENT_TIMEOUT_MS / 1000} seconds`,
  too_large: `it has more than ${MAX_DOCUMENT_BYTES} bytes`,
  redirect: 'its URL answered with a redirect, which is not followed',
  network: 'its URL does not answer',
}

function freshMs(headers: Headers): number {
  const control = headers.get('cache-control')?.toLowerCase() ?? ''
  if (/\bno-(store|cache)\b/.test(control)) return FRESH_MS.least
  const seconds = /(?:^|[ ,])max-age="?(\d{1,9})/.exec(control)?.[1]
  return seconds === undefined ? FRESH_MS.unsaid : Math.min(Math.max(Number(seconds) * 1000, FRESH_MS.least), FRESH_MS.most)
}

const TRIES = 10

/** Checks a document and stores what it says. Rejects with MetadataError for one that says nothing usable. */
async function keepDocument(
  url: string,
  { document, freshMs }: Extract<Outcome, { document: unknown }>,
  context: SignedInContext,
): Promise<App> {
  const { config, events, now, store } = context
  const metadata = await readDocument(url, document, context)
  for (let tries = 0; tries < TRIES; tries++) {
    const current = await store.apps.get(appIdOf(url))
    // Two URLs may have one digest: the second of them is not let in.
    if (current && wireId(current) !== url) throw fault('its URL cannot be used here')
    // A concurrent request may have stored it.
    if (current && (current.status !== 'active' || now < (current.freshUntil ?? 0))) return current
    const next = current ? withDocument(current, metadata, now) : newDocumentApp(url, metadata, now, config.clients?.neverUsedMs)
    const app = { ...next, freshUntil: now + freshMs }
    if (!(await store.apps.save(app))) continue
    if (!current) events.emit({ type: 'client_registered', at: now, clientId: url, origin: 'metadata' })
    else if (app.updatedAt !== current.updatedAt) events.emit({ type: 'client_changed', at: now, clientId: url })
    return app
  }
  throw new OAuthError('temporarily_unavailable', 'the record of this client is being changed all the time: try again')
}

async function readDocument(url: string, document: unknown, context: SignedInContext): Promise<ClientMetadata> {
  const { config, services } = context
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw fault('it must be a JSON object')
  const { client_id: named, client_name: name } = document as Readonly<Record<string, unknown>>
  if (named !== url) throw fault('its client_id must be its own URL, character by character')
  if ('client_secret' in document || 'client_secret_expires_at' in document) throw fault('it must have no client_secret')
  if (typeof name !== 'string' || name.trim() === '') throw fault('it has no client_name')
  const metadata = readClientMetadata(document, { config, methods: services.clientAuthentication, isDocument: true })
  const admit = config.clients?.documents?.admit
  if (admit) {
    const admitted = await withTimeout(
      async () => admit(url, document as never),
      config.hookTimeoutMs,
      'clients.metadataDocuments.admit',
    )
    if (admitted !== true) throw fault('this server does not let its client in')
  }
  return metadata
}

function fault(description: string): MetadataError {
  return new MetadataError({ error: 'invalid_client_metadata', description })
}

function newDocumentApp(url: string, metadata: ClientMetadata, now: EpochMs, neverUsedMs = 0): App {
  const app = selfRegisteredApp(metadata, { id: appIdOf(url), origin: 'metadata', now, expiresAt: now + neverUsedMs })
  return { ...app, clientId: url }
}

/** The record with what its document says now. */
function withDocument(app: App, { authMethod, grantTypes, name, redirectUris, registered }: ClientMetadata, now: EpochMs): App {
  const version = app.version + 1
  if (isDeepStrictEqual(app.metadata, registered) && app.authMethod === authMethod) return { ...app, version }
  return { ...app, authMethod, grantTypes, name, redirectUris, metadata: registered, updatedAt: now, version }
}

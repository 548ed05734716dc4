import { isDeepStrictEqual } from 'node:util'
import { appIdOf, wireId } from '../base/ids.ts'
import type { EpochMs } from '../base/time.ts'
import { withTimeout } from '../base/timeout.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { RateLimitError } from '../errors/rate-limit-error.ts'
import type { SignedInContext } from '../options/context.ts'
import { announced } from '../store/announced.ts'
import type { App } from '../store/store.ts'
import { publishKeyFor } from '../tokens/current-keys.ts'
import { type ClientMetadata, MetadataError, readClientMetadata } from './client-metadata.ts'
import type { DocumentReader, Outcome } from './document-reader.ts'
import { selfRegisteredApp } from './self-registered.ts'

/*
 * Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): the `client_id` is the https URL of a JSON
 * document in which the client describes itself.
 */

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

/**
 * Reads the document of a client, and resolves to its stored record. `app` is the record there is, if any: it serves for a day
 * while the document cannot be read.
 * Rejects with OAuthError `invalid_client` for a document that cannot be used, with RateLimitError, or with StoreError.
 */
export async function readDocument(
  url: string,
  app: App | undefined,
  reader: DocumentReader,
  context: SignedInContext,
): Promise<App> {
  const { config, now } = context
  const serves = app !== undefined && now < (app.freshUntil ?? 0) + STALE_MS
  if (serves && reader.isPaused(url, now)) return app
  let problem: string
  try {
    const outcome = await fetchCounted(url, app !== undefined, reader, context)
    if (!('problem' in outcome)) return await keepDocument(url, outcome, context)
    problem = outcome.problem
  } catch (error) {
    if (error instanceof RateLimitError && serves) return app
    if (!(error instanceof MetadataError)) throw error
    problem = error.problem.description
  }
  if (!serves) throw unusable(url, problem)
  config.log.warn(`the document of the client ${url} cannot be used, its last good copy serves: ${problem}`)
  reader.pause(url, now + PAUSE_MS)
  return app
}

/**
 * Whoever comes while a document is being read gets its outcome too, and is not counted. One that has been read before has a budget
 * of its own: others of its host cannot use it up.
 */
async function fetchCounted(
  url: string,
  isKnown: boolean,
  reader: DocumentReader,
  { principal, services, store }: SignedInContext,
): Promise<Outcome> {
  const { limits } = services
  if (!reader.isReading(url)) await limits.count('documents', [principal.orgId, principal.userId], store)
  // Whatever its port, a host is one host; with the dot at its end, too.
  const host = new URL(url).hostname.replace(/\.$/, '')
  return reader.read(url, () => limits.count('documentsOfHost', isKnown ? [host, url] : [host], store))
}

function unusable(url: string, problem: string): OAuthError {
  return new OAuthError('invalid_client', `the client's metadata document cannot be used: ${problem}`, {
    status: 400,
    told: { message: 'badDocument', app: new URL(url).host },
  })
}

const TRIES = 10

/**
 * Checks a document and stores what it says. Rejects with MetadataError for one that says nothing usable, with OAuthError
 * `invalid_client` for one that the host does not let in.
 */
async function keepDocument(
  url: string,
  { document, freshMs }: Extract<Outcome, { document: unknown }>,
  context: SignedInContext,
): Promise<App> {
  const { config, events, now, store } = context
  const metadata = await judge(url, document, context)
  await publishKeyFor(metadata, context)
  for (let tries = 0; tries < TRIES; tries++) {
    const current = await store.apps.get(appIdOf(url))
    // Two URLs may have one digest: the second of them is not let in.
    if (current && wireId(current) !== url) throw fault('its URL cannot be used here')
    // A concurrent request may have stored it.
    if (current && (current.status !== 'active' || now < (current.freshUntil ?? 0))) return current
    const next = current ? withDocument(current, metadata, now) : newDocumentApp(url, metadata, now, config.clients?.neverUsedMs)
    const app = { ...next, freshUntil: now + freshMs }
    const announce = () => {
      if (!current) events.emit({ type: 'client_registered', at: now, clientId: url, origin: 'metadata' })
      else if (app.updatedAt !== current.updatedAt) events.emit({ type: 'client_changed', at: now, clientId: url })
    }
    if (await announced(store.apps.save(app), announce)) return app
  }
  throw new OAuthError('temporarily_unavailable', 'the record of this client is being changed all the time: try again')
}

async function judge(url: string, document: unknown, context: SignedInContext): Promise<ClientMetadata> {
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
    // No last good copy serves then.
    if (admitted !== true) throw unusable(url, 'this server does not let its client in')
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
function withDocument(app: App, { registered, ...said }: ClientMetadata, now: EpochMs): App {
  const version = app.version + 1
  if (isDeepStrictEqual(app.metadata, registered) && app.authMethod === said.authMethod) return { ...app, version }
  const { dpopBoundAccessTokens: _bound, idTokenSignedResponseAlg: _alg, keys: _keys, ...others } = app
  const { requirePushedAuthorizationRequests: _push, ...kept } = others
  return { ...kept, ...said, metadata: registered, updatedAt: now, version }
}

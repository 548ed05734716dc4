import { wireId } from '../base/ids.ts'
import type { EpochMs } from '../base/time.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { UnknownClient } from '../options/clients.ts'
import type { Config } from '../options/config.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'
import type { ClientMetadata } from './client-metadata.ts'
import { isSelfRegistered } from './find-client.ts'

/*
 * The records of clients that nobody registered by hand. Each is forgotten when nobody uses it any more, with everything that
 * belongs to it: so each of them has an `expiresAt`, which moves while the client is in use.
 */

/** The lifetime of their access tokens, in seconds. */
const ACCESS_TOKEN_SECONDS = 3600
/** The lifetime of their refresh tokens, in seconds: an agent that is not used for a month is asked for again. */
const REFRESH_TOKEN_SECONDS = 30 * 86_400

const DAY_MS = 86_400_000
/** Where the option `clients` is gone, what was let in before lives on. */
const DEFAULT_IDLE_MS = 90 * DAY_MS

/** Everything of such a record but its id and its way of authentication. */
export function selfRegisteredApp(
  { grantTypes, name, redirectUris, registered, ...others }: ClientMetadata,
  { expiresAt, id, now, origin }: Pick<App, 'id' | 'origin'> & { readonly now: EpochMs; readonly expiresAt: EpochMs },
): App {
  return {
    id,
    orgId: '',
    createdBy: '',
    name,
    description: '',
    status: 'active',
    origin,
    ...others,
    secrets: [],
    redirectUris,
    grantTypes,
    // What such apps may ask for is the same for all of them, and said in the options.
    scopes: [],
    accessTokenSeconds: ACCESS_TOKEN_SECONDS,
    refreshTokenSeconds: REFRESH_TOKEN_SECONDS,
    profile: {},
    metadata: registered,
    createdAt: now,
    updatedAt: now,
    // Above every epoch of an earlier record of the same client.
    epoch: now,
    version: 1,
    expiresAt,
  }
}

/** The host that a client has proven to be at; null where it has none. */
export function hostOf({ clientId, origin }: Pick<App, 'clientId' | 'origin'>): string | null {
  return origin === 'metadata' && clientId !== undefined ? new URL(clientId).host : null
}

/**
 * How pages name an app. One that nobody registered: by its host, which is proven, or else by the name it gives itself, in quotes,
 * so that it is not taken for a host; by its `client_id` if it has none (RFC 7591 §2).
 */
export function shownName(app: App): string {
  if (!isSelfRegistered(app)) return app.name
  return hostOf(app) ?? (app.name === '' ? wireId(app) : `“${app.name}”`)
}

/** Converts such a client for the host's functions. */
export function describeUnknown(app: App): UnknownClient {
  return {
    clientId: wireId(app),
    origin: app.origin === 'metadata' ? 'metadata' : 'registered',
    host: hostOf(app),
    name: app.name,
    redirectUris: [...app.redirectUris],
  }
}

/**
 * Until when the record of a client that is in use now is kept at least: never shorter than its tokens live. It is written at most
 * once a day, hence the day more.
 */
export function keptUntil(
  now: EpochMs,
  app: App,
  { clients }: Pick<Config<never>, 'clients'>,
): { least: EpochMs; next: EpochMs } {
  const tokenMs = Math.max(app.refreshTokenSeconds, app.accessTokenSeconds) * 1000
  const least = now + Math.max(clients?.idleMs ?? DEFAULT_IDLE_MS, tokenMs)
  return { least, next: least + DAY_MS }
}

const TRIES = 20

/**
 * Keeps the record of a client that gets a token. Called before the token is issued: a record that expired sooner would take the
 * token with it. Rejects with StoreError, or with OAuthError `temporarily_unavailable` after too many conflicts.
 */
export function keepClient(app: App, context: Context): Promise<void> {
  const { config, now } = context
  return keep(app, current => ({ ...keptUntil(now, current, config), lastUsedAt: now }), context)
}

/** Keeps the record of a client at least until `until`: one that an admin is asked about must still be there when they decide. Rejects as {@link keepClient} does. */
export function keepClientUntil(app: App, until: EpochMs, context: Context): Promise<void> {
  return keep(app, () => ({ least: until, next: until }), context)
}

interface Kept extends Pick<App, 'lastUsedAt'> {
  readonly least: EpochMs
  readonly next: EpochMs
}

async function keep(app: App, kept: (current: App) => Kept, { store }: Context): Promise<void> {
  let current: App | undefined = app
  for (let tries = 0; tries < TRIES; tries++) {
    if (current?.expiresAt === undefined) return
    const { least, next: expiresAt, ...used } = kept(current)
    if (current.expiresAt >= least) return
    if (await store.apps.save({ ...current, ...used, expiresAt, version: current.version + 1 })) return
    current = await store.apps.get(app.id)
  }
  throw new OAuthError('temporarily_unavailable', 'the record of this client is being changed all the time: try again')
}

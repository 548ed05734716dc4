import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Connectors } from '../options/connectors.ts'
import type { Context } from '../options/context.ts'
import type { Credential, Store } from '../store/store.ts'
import { isSealedUnderOldKey, open, seal } from '../tokens/sealing.ts'
import type { ConnectorOwner } from './options.ts'
import type { Provider } from './provider.ts'
import type { Identity, ProviderTokens } from './provider-tokens.ts'
import { withRetries } from './retry.ts'

/** The plaintext of a credential. {@link openSecrets} fills in the fields that an older record lacks. */
export interface Secrets extends Carried {
  readonly accessToken: string
  readonly tokenType: string
  /** The whole lifetime of the access token, in seconds; null if the provider does not say. */
  readonly lifetimeSeconds: number | null
}

/** The parts that a refresh keeps unless the provider sends new ones. */
export interface Carried {
  readonly refreshToken: string | null
  /** null: the provider did not say. */
  readonly scopes: readonly string[] | null
  /** The scopes that the authorization request asked for; null if the record does not say. */
  readonly requestedScopes: readonly string[] | null
  readonly details: JsonObject
  /** The provider's site that has the account; null: its own endpoints. */
  readonly site: string | null
  /** The account at the provider, from its ID token; null if there was none. */
  readonly identity: Identity | null
}

/** The key of a credential: a connector, and its user or organisation. */
export interface CredentialKey {
  readonly connectorId: string
  readonly ownerId: string
}

export function credentialKey(connectorId: string, { orgId, userId }: ConnectorOwner, { ownedBy }: Connectors): CredentialKey {
  return { connectorId, ownerId: JSON.stringify(ownedBy === 'user' ? [orgId, userId] : [orgId]) }
}

/** Seals the tokens that a provider issued for their owner. Without a new refresh token, the old one is kept (RFC 6749 §6). */
export async function sealTokens(
  { accessToken, details, expiresInSeconds, identity, refreshToken, scopes, tokenType }: ProviderTokens,
  before: Carried,
  { connectors, key, now, provider }: Sealing,
): Promise<Pick<Credential, 'sealed' | 'accessExpiresAt'>> {
  const lifetimeSeconds = expiresInSeconds ?? provider.accessTokenSeconds ?? null
  const secrets: Secrets = {
    ...before,
    accessToken,
    refreshToken: refreshToken ?? before.refreshToken,
    tokenType,
    lifetimeSeconds,
    scopes: scopes ?? before.scopes,
    // A refresh may omit details of the first answer.
    details: { ...before.details, ...details },
    identity: identity ?? before.identity,
  }
  const accessExpiresAt = lifetimeSeconds === null ? null : now + Math.floor(lifetimeSeconds * 1000)
  return { sealed: await sealAgain(secrets, key, connectors), accessExpiresAt }
}

export interface Sealing {
  readonly connectors: Connectors
  readonly key: CredentialKey
  readonly now: EpochMs
  readonly provider: Provider
}

/** Opens a credential. Rejects if it was sealed for another owner, or under a key that is not among `sealingKeys`. */
export async function openSecrets({ connectorId, ownerId, sealed }: Credential, { sealingKeys }: Connectors): Promise<Secrets> {
  const kept = JSON.parse(await open(sealed, purposeOf({ connectorId, ownerId }), sealingKeys))
  return { identity: null, lifetimeSeconds: null, requestedScopes: null, site: null, ...kept }
}

/** Seals the same secrets again. The text differs each time, so the write of the record is unique to the caller. */
export function sealAgain(secrets: Secrets, key: CredentialKey, { sealingKeys }: Connectors): Promise<string> {
  return seal(JSON.stringify(secrets), purposeOf(key), sealingKeys)
}

/** Seals the same secrets under the first of the sealing keys; undefined if they are already. */
export async function resealed(
  credential: Credential,
  secrets: Secrets,
  connectors: Connectors,
): Promise<Credential | undefined> {
  if (!isSealedUnderOldKey(credential.sealed, connectors.sealingKeys)) return undefined
  const sealed = await sealAgain(secrets, credential, connectors)
  return { ...credential, sealed, version: credential.version + 1 }
}

/**
 * Stores the tokens that a provider has just issued, in place of any earlier ones. If that fails, it revokes them at the provider
 * first, because nothing could revoke them later, and rejects with StoreError.
 */
export async function keepConnected(
  tokens: ProviderTokens,
  { key, provider, site = null }: Connection,
  context: Context,
): Promise<void> {
  const { config, now, store } = context
  const { connectors, upstreams } = requireConnectors(context)
  try {
    const { scopes: requestedScopes } = provider
    const before = { refreshToken: null, scopes: null, requestedScopes, details: {}, identity: null, site }
    await save({ ...key, ...(await sealTokens(tokens, before, { connectors, key, now, provider })) }, store)
  } catch (error) {
    await upstreams
      .revoke(provider, tokens)
      .catch(cause => config.log.error('tokens that could not be saved could not be revoked at the provider either', cause))
    throw error
  }
}

export interface Connection {
  readonly key: CredentialKey
  /** The provider, with the endpoints of the site. */
  readonly provider: Provider
  readonly site?: string | null
}

async function save(credential: Omit<Credential, 'version' | 'leaseUntil' | 'needsReconnect'>, store: Store): Promise<void> {
  // The new tokens also replace a credential that a process is refreshing right now: retry on a version conflict.
  for (let tries = 0; tries < 10; tries++) {
    const stored = await store.credentials.get(credential.connectorId, credential.ownerId)
    const next = { ...credential, leaseUntil: null, needsReconnect: false, version: (stored?.version ?? 0) + 1 }
    // Writes are idempotent, so a retry after a lost reply learns whether the first save happened.
    if (await withRetries(() => store.credentials.save(next), 2)) return
  }
  throw new StoreError('credentials.save', { cause: new Error('the record changed during each of ten attempts') })
}

/** Returns the purpose that is bound into the seal, so that a credential sealed for one owner never opens for another. */
function purposeOf({ connectorId, ownerId }: CredentialKey): string {
  return JSON.stringify(['connector credential', connectorId, ownerId])
}

/** Returns the connectors and upstreams. Throws if there are none; the routes that call it are then not served. */
export function requireConnectors({ config: { connectors }, services: { upstreams } }: Pick<Context, 'config' | 'services'>) {
  if (!connectors || !upstreams) throw new Error('there are no connectors')
  return { connectors, upstreams }
}

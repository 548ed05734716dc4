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

/** What is sealed into a credential. Fields that an older record lacks are filled in by {@link openSecrets}. */
export interface Secrets extends Carried {
  readonly accessToken: string
  readonly tokenType: string
  /** How long the access token lives in all, in seconds; null if the provider does not say. */
  readonly lifetimeSeconds: number | null
}

/** What a refresh leaves as it is, unless the provider says otherwise. */
export interface Carried {
  readonly refreshToken: string | null
  /** null: the provider did not say. */
  readonly scopes: readonly string[] | null
  /** What the user was asked for; null in records of before this was kept. */
  readonly requestedScopes: readonly string[] | null
  readonly details: JsonObject
  /** At which of the provider's sites; null: at its own endpoints. */
  readonly site: string | null
  /** Whose account it is at the provider, where an ID token said so. */
  readonly identity: Identity | null
}

/** Which credential: a connector's, of a user or an organisation. */
export interface CredentialKey {
  readonly connectorId: string
  readonly ownerId: string
}

export function credentialKey(connectorId: string, { orgId, userId }: ConnectorOwner, { ownedBy }: Connectors): CredentialKey {
  return { connectorId, ownerId: JSON.stringify(ownedBy === 'user' ? [orgId, userId] : [orgId]) }
}

/** What a provider issued, sealed for its owner. A refresh token that is not given again is still the old one (RFC 6749 §6). */
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
    // A refresh need not repeat them.
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

/** Rejects if it was sealed for another owner, or under a key that is not among `sealingKeys`. */
export async function openSecrets({ connectorId, ownerId, sealed }: Credential, { sealingKeys }: Connectors): Promise<Secrets> {
  const kept = JSON.parse(await open(sealed, purposeOf({ connectorId, ownerId }), sealingKeys))
  return { identity: null, lifetimeSeconds: null, requestedScopes: null, site: null, ...kept }
}

/** The same secrets in a record that differs from any other of them. */
export function sealAgain(secrets: Secrets, key: CredentialKey, { sealingKeys }: Connectors): Promise<string> {
  return seal(JSON.stringify(secrets), purposeOf(key), sealingKeys)
}

/** The same secrets under the first of the sealing keys; undefined where they are already. */
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
 * Keeps what a provider has just issued, over whatever was there. Tokens that could not be kept are ended at the provider before
 * this rejects: nobody would use them, and nobody could end them later. Rejects with StoreError.
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
  /** With the endpoints of the site. */
  readonly provider: Provider
  readonly site?: string | null
}

async function save(credential: Omit<Credential, 'version' | 'leaseUntil' | 'needsReconnect'>, store: Store): Promise<void> {
  // A process may be refreshing the old credential: what the user has just agreed to replaces it.
  for (let tries = 0; tries < 10; tries++) {
    const stored = await store.credentials.get(credential.connectorId, credential.ownerId)
    const next = { ...credential, leaseUntil: null, needsReconnect: false, version: (stored?.version ?? 0) + 1 }
    // Identical arguments give the same answer, so the retry finds out whether a save whose reply was lost has happened.
    if (await withRetries(() => store.credentials.save(next), 2)) return
  }
  throw new StoreError('credentials.save', { cause: new Error('the record changed during each of ten attempts') })
}

/** Bound into the seal, so that what was sealed for one owner never opens for another. */
function purposeOf({ connectorId, ownerId }: CredentialKey): string {
  return JSON.stringify(['connector credential', connectorId, ownerId])
}

/** On a path that is only served where there are connectors. */
export function requireConnectors({ config: { connectors }, services: { upstreams } }: Pick<Context, 'config' | 'services'>) {
  if (!connectors || !upstreams) throw new Error('there are no connectors')
  return { connectors, upstreams }
}

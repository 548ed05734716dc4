import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Connectors } from '../options/connectors.ts'
import type { Context } from '../options/context.ts'
import type { Credential, Store } from '../store/store.ts'
import { isSealedUnderOldKey, open, seal } from '../tokens/sealing.ts'
import type { ConnectorOwner } from './options.ts'
import type { Provider } from './provider.ts'
import { withRetries } from './retry.ts'
import type { ProviderTokens } from './upstream.ts'

/** What is sealed into a credential. */
export interface Secrets {
  readonly accessToken: string
  readonly refreshToken: string | null
  readonly tokenType: string
  /** null: the provider did not say. */
  readonly scopes: readonly string[] | null
  readonly details: JsonObject
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
  { accessToken, details, refreshToken, scopes, tokenType }: ProviderTokens,
  before: Secrets | null,
  key: CredentialKey,
  connectors: Connectors,
): Promise<string> {
  const secrets: Secrets = {
    accessToken,
    refreshToken: refreshToken ?? before?.refreshToken ?? null,
    tokenType,
    scopes: scopes ?? before?.scopes ?? null,
    // A refresh need not repeat them.
    details: { ...before?.details, ...details },
  }
  return sealAgain(secrets, key, connectors)
}

/** Rejects where it was sealed for somebody else, or under a key that is gone. */
export async function openSecrets({ connectorId, ownerId, sealed }: Credential, { sealingKeys }: Connectors): Promise<Secrets> {
  return JSON.parse(await open(sealed, purposeOf({ connectorId, ownerId }), sealingKeys))
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

export function expiryOf({ expiresInSeconds }: ProviderTokens, assumedSeconds: number | undefined, now: EpochMs): EpochMs | null {
  const seconds = expiresInSeconds ?? assumedSeconds
  return seconds === undefined ? null : now + Math.floor(seconds * 1000)
}

/**
 * Keeps what a provider has just issued, over whatever was there. Tokens that could not be kept are ended at the provider before
 * this rejects: nobody would use them, and nobody could end them later. Rejects with StoreError.
 */
export async function keepConnected(
  tokens: ProviderTokens,
  key: CredentialKey,
  provider: Provider,
  context: Context,
): Promise<void> {
  const { config, now, store } = context
  const { connectors, upstreams } = requireConnectors(context)
  try {
    const sealed = await sealTokens(tokens, null, key, connectors)
    await save({ ...key, sealed, accessExpiresAt: expiryOf(tokens, provider.accessTokenSeconds, now) }, store)
  } catch (error) {
    await upstreams
      .revoke(provider, tokens)
      .catch(cause => config.log.error('tokens that could not be saved could not be revoked at the provider either', cause))
    throw error
  }
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

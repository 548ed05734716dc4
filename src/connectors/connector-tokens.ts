import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import type { Config } from '../options/config.ts'
import type { Connectors } from '../options/connectors.ts'
import type { Context } from '../options/context.ts'
import type { Credential } from '../store/store.ts'
import {
  type CredentialKey,
  credentialKey,
  openSecrets,
  requireConnectors,
  resealed,
  type Secrets,
  sealAgain,
  sealTokens,
} from './credentials.ts'
import { findProvider } from './find-provider.ts'
import type { ConnectorOwner } from './options.ts'
import { atSite, type Provider } from './provider.ts'
import type { Identity, ProviderTokens } from './provider-tokens.ts'
import { refreshWithRetries, TRY_MS, withRetries } from './retry.ts'
import type { Upstreams } from './upstream.ts'

/** A provider's access token that is valid now. */
export interface ConnectorToken {
  /** The token. */
  readonly accessToken: string
  /** The scheme of the Authorization header: `Bearer`. */
  readonly tokenType: string
  /** When it expires; null if the provider does not say. */
  readonly expiresAt: EpochMs | null
  /** The scopes that were granted; null if the provider did not say. */
  readonly scopes: readonly string[] | null
  /** The values that `keep` of the provider names. */
  readonly details: JsonObject
}

/** The state of an outside account. */
export interface ConnectorStatus {
  /** Whether the user has connected it. */
  readonly connected: boolean
  /** Whether the provider no longer refreshes it, so that only the user can connect it again. */
  readonly needsReconnect: boolean
  /** When the present access token expires; null if it is not known. A connector that can be refreshed outlives it. */
  readonly expiresAt: EpochMs | null
  /** The scopes that were granted; null if they are not known. */
  readonly scopes: readonly string[] | null
}

/** The lease of a refresh: longer than its tries take (10 s), shorter than the other processes wait (25 s). */
const LEASE_MS = TRY_MS + 2000
const WAIT_MS = 25_000

type WithContext = <T>(run: (context: Context) => Promise<T>) => Promise<T>

/** Gives the host's own code the tokens of its users' outside accounts. */
export class ConnectorTokens {
  readonly #config: Config<never>
  readonly #connectors: Connectors
  readonly #upstreams: Upstreams
  readonly #withContext: WithContext
  /** Coalesces the refreshes of one credential in this process. */
  readonly #refreshing = new Map<string, Promise<ConnectorToken>>()

  constructor(context: Pick<Context, 'config' | 'services'>, withContext: WithContext) {
    const { connectors, upstreams } = requireConnectors(context)
    this.#config = context.config
    this.#connectors = connectors
    this.#upstreams = upstreams
    this.#withContext = withContext
  }

  /** Implements `connectorToken` of the server. */
  async get(connectorId: string, owner: ConnectorOwner, refused: string | undefined): Promise<ConnectorToken> {
    const key = credentialKey(connectorId, owner, this.#connectors)
    const token = await this.#usable(await this.#read(key), refused)
    if (token) return token
    const id = JSON.stringify([key, refused])
    const refreshing =
      this.#refreshing.get(id) ?? this.#refreshShared(key, owner, refused).finally(() => this.#refreshing.delete(id))
    this.#refreshing.set(id, refreshing)
    return refreshing
  }

  async status(connectorId: string, owner: ConnectorOwner): Promise<ConnectorStatus> {
    const key = credentialKey(connectorId, owner, this.#connectors)
    const credential = await this.#store(store => store.credentials.get(key.connectorId, key.ownerId))
    if (!credential) return { connected: false, needsReconnect: false, expiresAt: null, scopes: null }
    const { accessExpiresAt, needsReconnect } = credential
    const { scopes } = await this.#secretsOf(credential)
    return { connected: true, needsReconnect, expiresAt: accessExpiresAt, scopes }
  }

  /**
   * Deletes the record first, so that the tokens cannot be used even if the provider fails. If the store fails, the tokens are
   * revoked at the provider all the same, because the caller may not retry.
   */
  async disconnect(
    connectorId: string,
    owner: ConnectorOwner,
  ): Promise<{ readonly disconnected: boolean; readonly revoked: boolean }> {
    const key = credentialKey(connectorId, owner, this.#connectors)
    const credential = await this.#store(store => store.credentials.get(key.connectorId, key.ownerId))
    if (!credential) return { disconnected: false, revoked: false }
    const secrets = await this.#secretsOf(credential).catch(cause => {
      this.#config.log.error('a credential cannot be opened; it is deleted without being revoked at the provider', cause)
      return null
    })
    // A retry after a lost reply finds nothing to delete: the first try deleted it.
    let tries = 0
    const deleting = withRetries(() => {
      tries += 1
      return this.#store(store => store.credentials.delete(key.connectorId, key.ownerId))
    })
    let failure: unknown
    const found = await deleting.catch(error => {
      failure = error
      return false
    })
    const disconnected = found || tries > 1
    const expired = credential.accessExpiresAt !== null && credential.accessExpiresAt <= this.#config.now()
    const revoked = secrets !== null && (await this.#revoke(secrets, connectorId, owner, expired))
    // Also where it is unknown: a retry may find nothing, and then emits nothing.
    if (disconnected || isUnknownOutcome(failure))
      await this.#emit({ type: 'connector_disconnected', connectorId, revoked }, owner)
    if (failure !== undefined) throw failure
    return { disconnected, revoked }
  }

  /** Refreshes under a lease: one process at a time calls the provider, and the others wait for the token it saves. */
  async #refreshShared(key: CredentialKey, owner: ConnectorOwner, refused: string | undefined): Promise<ConnectorToken> {
    const givenUp = performance.now() + WAIT_MS
    let provider: Provider | undefined
    while (performance.now() < givenUp) {
      const credential = await this.#read(key)
      const usable = await this.#usable(credential, refused)
      if (usable) return usable
      provider ??= await this.#providerOf(key.connectorId, owner)
      const now = this.#config.now()
      if (credential.leaseUntil === null || credential.leaseUntil <= now) {
        const before = await this.#secretsOf(credential)
        const there = atSite(provider, before.site)
        // Sealing again makes the record unique: identical writes of two processes would both succeed (idempotent writes).
        const sealed = await sealAgain(before, credential, this.#connectors)
        const leased = { ...credential, sealed, leaseUntil: now + LEASE_MS, version: credential.version + 1 }
        if (await this.#save(leased)) {
          const token = await this.#refreshLeased(leased, { before, owner, provider: there, refused })
          if (token) return token
        }
      }
      await sleep(20 + Math.random() * 80)
    }
    const late = new ConnectorError('provider_unavailable', 'another process has been refreshing it for too long')
    return this.#whileAlive(await this.#read(key), refused, late)
  }

  /** Refreshes and saves. Undefined if the credential was changed concurrently: the other write counts. */
  async #refreshLeased(
    leased: Credential,
    { before, owner, provider, refused }: Refreshing,
  ): Promise<ConnectorToken | undefined> {
    let tokens: ProviderTokens
    try {
      // Without a refresh token, only the user can connect the account again.
      if (before.refreshToken === null) throw needsReconnect()
      tokens = await this.#refresh(provider, before, before.refreshToken)
      if (isAnother(before.identity, tokens.identity)) {
        await this.#revoke(issuedTo(before, tokens), leased.connectorId, owner)
        throw new ConnectorError(
          'needs_reconnect',
          'the provider refreshed the token for another account: the user must connect it again',
        )
      }
    } catch (error) {
      return this.#failed(leased, error, owner, refused)
    }
    const sealing = { connectors: this.#connectors, key: leased, now: this.#config.now(), provider }
    const fresh = await sealTokens(tokens, before, sealing)
    for (let tries = 0; tries < 10; tries++) {
      const stored = await withRetries(() => this.#store(store => store.credentials.get(leased.connectorId, leased.ownerId)))
      if (!stored) {
        await this.#revoke(issuedTo(before, tokens), leased.connectorId, owner)
        return undefined
      }
      if ((await this.#secretsOf(stored)).refreshToken !== before.refreshToken) return undefined
      const next = { ...stored, ...fresh, leaseUntil: null, needsReconnect: false, version: stored.version + 1 }
      if (await withRetries(() => this.#save(next))) {
        await this.#emit({ type: 'connector_refreshed', connectorId: leased.connectorId }, owner)
        return this.#open(next)
      }
    }
    throw new ConnectorError('provider_unavailable', 'the credential kept changing while it was being refreshed')
  }

  /**
   * Releases the lease after a failure. A final refusal marks the credential and emits its event once; after any other failure
   * the old token is returned while it lives. Undefined if the credential was changed concurrently.
   */
  async #failed(
    leased: Credential,
    error: unknown,
    owner: ConnectorOwner,
    refused: string | undefined,
  ): Promise<ConnectorToken | undefined> {
    const over = error instanceof ConnectorError && error.code === 'needs_reconnect'
    const next = { ...leased, leaseUntil: null, needsReconnect: over, version: leased.version + 1 }
    const saved = await this.#save(next).catch(cause => {
      this.#config.log.error('a lease could not be released: it expires by itself', cause)
      return undefined
    })
    if (over && saved === false) return undefined
    // Also where the answer was lost: the next caller may find the mark, and then emits nothing.
    if (over) await this.#emit({ type: 'connector_needs_reconnect', connectorId: leased.connectorId }, owner)
    if (over || !(error instanceof ConnectorError)) throw error
    return this.#whileAlive(next, refused, error)
  }

  /** Returns the old token while it lives and is not the refused one. Otherwise rejects with `otherwise`. */
  async #whileAlive(credential: Credential, refused: string | undefined, otherwise: Error): Promise<ConnectorToken> {
    if (credential.accessExpiresAt !== null && credential.accessExpiresAt <= this.#config.now()) throw otherwise
    const token = await this.#open(credential)
    if (token.accessToken === refused) throw otherwise
    return token
  }

  /** Returns the token if it is fresh and not the one that the provider has just refused. */
  async #usable(credential: Credential, refused: string | undefined): Promise<ConnectorToken | undefined> {
    const { accessExpiresAt } = credential
    if (credential.needsReconnect) throw needsReconnect()
    if (accessExpiresAt !== null) {
      const leftMs = accessExpiresAt - this.#config.now()
      if (leftMs <= 0) return undefined
      // A token whose lifetime is shorter than the margin would otherwise be refreshed by every call.
      if (leftMs <= this.#connectors.marginMs) {
        const { lifetimeSeconds } = await this.#secretsOf(credential)
        if (lifetimeSeconds === null || leftMs <= lifetimeSeconds * 500) return undefined
      }
    }
    const token = await this.#open(credential)
    return token.accessToken === refused ? undefined : token
  }

  async #open(credential: Credential): Promise<ConnectorToken> {
    const secrets = await this.#secretsOf(credential)
    const next = await resealed(credential, secrets, this.#connectors)
    // If a concurrent write wins, the next call seals it anew.
    if (next) await this.#save(next).catch(cause => this.#config.log.error('a credential could not be sealed anew', cause))
    const { accessToken, details, scopes, tokenType } = secrets
    return { accessToken, tokenType, expiresAt: credential.accessExpiresAt, scopes, details }
  }

  /** Opens the credential. A failure is one of the host's configuration: a sealing key is missing, or a record was copied from another owner. */
  #secretsOf(credential: Credential): Promise<Secrets> {
    return openSecrets(credential, this.#connectors).catch(cause => {
      throw new ConnectorError('not_configured', cause.message, { cause })
    })
  }

  async #providerOf(connectorId: string, owner: ConnectorOwner): Promise<Provider> {
    const provider = await findProvider(connectorId, owner, this.#config).catch(cause => {
      throw new ConnectorError('not_configured', 'connectors.provider failed', { cause })
    })
    if (provider === null || provider === 'no-oauth') throw new ConnectorError('not_configured', 'the connector no longer exists')
    return provider
  }

  /** Revokes the tokens at the provider. False if it cannot or does not answer. Some providers revoke only with a live access token. */
  async #revoke(secrets: Secrets, connectorId: string, owner: ConnectorOwner, expired = false): Promise<boolean> {
    try {
      const provider = atSite(await this.#providerOf(connectorId, owner), secrets.site)
      const before = { accessToken: secrets.accessToken, refreshToken: secrets.refreshToken ?? undefined }
      if (!expired || !provider.revoke || !before.refreshToken) return await this.#upstreams.revoke(provider, before)
      const { accessToken, refreshToken = before.refreshToken } = await this.#refresh(provider, secrets, before.refreshToken)
      return await this.#upstreams.revoke(provider, { accessToken, refreshToken })
    } catch (cause) {
      this.#config.log.error('the tokens of a connector could not be revoked at the provider', cause)
      return false
    }
  }

  #refresh(provider: Provider, { requestedScopes }: Secrets, refreshToken: string): Promise<ProviderTokens> {
    return refreshWithRetries(this.#upstreams, provider, { refreshToken, scopes: requestedScopes ?? provider.scopes })
  }

  async #read({ connectorId, ownerId }: CredentialKey): Promise<Credential> {
    const credential = await this.#store(store => store.credentials.get(connectorId, ownerId))
    if (!credential) throw new ConnectorError('not_connected', 'no account is connected')
    return credential
  }

  #save(credential: Credential): Promise<boolean> {
    return this.#store(store => store.credentials.save(credential))
  }

  /** Gives each store call its own deadline: a call to a provider takes longer than a store may. */
  #store<T>(run: (store: Context['store']) => Promise<T>): Promise<T> {
    return this.#withContext(({ store }) => run(store))
  }

  #emit(event: OwnEvent, { orgId, userId }: ConnectorOwner): Promise<void> {
    return this.#withContext(async ({ events, now }) => events.emit({ ...event, at: now, orgId, userId }))
  }
}

interface Refreshing {
  readonly before: Secrets
  readonly owner: ConnectorOwner
  readonly provider: Provider
  readonly refused: string | undefined
}

type OwnEvent =
  | { readonly type: 'connector_refreshed' | 'connector_needs_reconnect'; readonly connectorId: string }
  | { readonly type: 'connector_disconnected'; readonly connectorId: string; readonly revoked: boolean }

function issuedTo(before: Secrets, { accessToken, refreshToken }: ProviderTokens): Secrets {
  return { ...before, accessToken, refreshToken: refreshToken ?? null }
}

/** Tells whether a refresh returned another account: `iss` and `sub` must stay the same (OpenID Connect Core §12.2). False without an ID token. */
function isAnother(before: Identity | null, now: Identity | undefined): boolean {
  return before !== null && now !== undefined && (before.iss !== now.iss || before.sub !== now.sub)
}

function needsReconnect(): ConnectorError {
  return new ConnectorError('needs_reconnect', 'the provider no longer accepts what was granted: the user must connect it again')
}

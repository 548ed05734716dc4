import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import { ConnectorError } from '../errors/connector-error.ts'
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

/** A provider's access token that can be used now. */
export interface ConnectorToken {
  readonly accessToken: string
  /** As in an Authorization header: `Bearer`. */
  readonly tokenType: string
  /** null: the provider does not say. */
  readonly expiresAt: EpochMs | null
  /** null: the provider did not say. */
  readonly scopes: readonly string[] | null
  /** What `keep` of the provider names. */
  readonly details: JsonObject
}

export interface ConnectorStatus {
  readonly connected: boolean
  /** The provider no longer refreshes it: only the user can connect it again. */
  readonly needsReconnect: boolean
  /** When its present access token ends; a connector that can be refreshed outlives it. */
  readonly expiresAt: EpochMs | null
  readonly scopes: readonly string[] | null
}

/** How long one process may keep the others waiting: longer than it tries, shorter than anybody waits. */
const LEASE_MS = TRY_MS + 2000
const WAIT_MS = 25_000

type WithContext = <T>(run: (context: Context) => Promise<T>) => Promise<T>

/** The outside accounts of a host's users, from its own code. */
export class ConnectorTokens {
  readonly #config: Config<never>
  readonly #connectors: Connectors
  readonly #upstreams: Upstreams
  readonly #withContext: WithContext
  /** Refreshes of this process: each is done once for all who wait. */
  readonly #refreshing = new Map<string, Promise<ConnectorToken>>()

  constructor(context: Pick<Context, 'config' | 'services'>, withContext: WithContext) {
    const { connectors, upstreams } = requireConnectors(context)
    this.#config = context.config
    this.#connectors = connectors
    this.#upstreams = upstreams
    this.#withContext = withContext
  }

  /** See `connectorToken` of the server. */
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
   * Deletes the record first, so that nothing uses the tokens whatever the provider answers. Where the store fails, the tokens
   * are ended at the provider all the same: the user wanted that, and the call may not be repeated.
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
    // A delete whose reply was lost finds nothing when it is repeated: it was done all the same.
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
    if (failure !== undefined) throw failure
    if (disconnected) await this.#emit({ type: 'connector_disconnected', connectorId, revoked }, owner)
    return { disconnected, revoked }
  }

  /** One process at a time asks the provider; the others wait for what it saves. */
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
        // Sealed again, it is a record of this process's own: identical ones of two that came at once would both be let in.
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

  /** Undefined: while it was done, somebody else changed the credential, and theirs counts. */
  async #refreshLeased(
    leased: Credential,
    { before, owner, provider, refused }: Refreshing,
  ): Promise<ConnectorToken | undefined> {
    let tokens: ProviderTokens
    try {
      // Nothing to refresh it with: the same end as a refusal.
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
   * Gives the lease back. What the provider refuses for good is said once; what it cannot do now leaves the old token, while that
   * lives. Undefined where somebody else has changed the credential meanwhile.
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
      this.#config.log.error('a lease could not be given back: it runs out by itself', cause)
      return undefined
    })
    if (over && saved === false) return undefined
    if (over && saved) await this.#emit({ type: 'connector_needs_reconnect', connectorId: leased.connectorId }, owner)
    if (over || !(error instanceof ConnectorError)) throw error
    return this.#whileAlive(next, refused, error)
  }

  /** The old token, while it lives and is not the one that was refused. */
  async #whileAlive(credential: Credential, refused: string | undefined, otherwise: Error): Promise<ConnectorToken> {
    if (credential.accessExpiresAt !== null && credential.accessExpiresAt <= this.#config.now()) throw otherwise
    const token = await this.#open(credential)
    if (token.accessToken === refused) throw otherwise
    return token
  }

  /** The token, if it is fresh and not the one that the provider has just refused. */
  async #usable(credential: Credential, refused: string | undefined): Promise<ConnectorToken | undefined> {
    const { accessExpiresAt } = credential
    if (credential.needsReconnect) throw needsReconnect()
    if (accessExpiresAt !== null) {
      const leftMs = accessExpiresAt - this.#config.now()
      if (leftMs <= 0) return undefined
      // A token whose whole life is shorter than the margin would otherwise be refreshed by every call.
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
    // Lost to somebody else's write, it is done the next time.
    if (next) await this.#save(next).catch(cause => this.#config.log.error('a credential could not be sealed anew', cause))
    const { accessToken, details, scopes, tokenType } = secrets
    return { accessToken, tokenType, expiresAt: credential.accessExpiresAt, scopes, details }
  }

  /** What cannot be opened is the host's to mend: a sealing key is gone, or a record is another's. */
  #secretsOf(credential: Credential): Promise<Secrets> {
    return openSecrets(credential, this.#connectors).catch(cause => {
      throw new ConnectorError('not_configured', cause.message, { cause })
    })
  }

  async #providerOf(connectorId: string, owner: ConnectorOwner): Promise<Provider> {
    const provider = await findProvider(connectorId, owner, this.#config).catch(cause => {
      throw new ConnectorError('not_configured', 'connectors.provider failed', { cause })
    })
    if (provider === null || provider === 'no-oauth') throw new ConnectorError('not_configured', 'the connector is no more')
    return provider
  }

  /** Whether the provider has ended the tokens; it may be unable to, or away. Some end what they issued only for a token that lives. */
  async #revoke(secrets: Secrets, connectorId: string, owner: ConnectorOwner, expired = false): Promise<boolean> {
    try {
      const provider = atSite(await this.#providerOf(connectorId, owner), secrets.site)
      const before = { accessToken: secrets.accessToken, refreshToken: secrets.refreshToken ?? undefined }
      if (!expired || !provider.revoke || !before.refreshToken) return await this.#upstreams.revoke(provider, before)
      const { accessToken, refreshToken = before.refreshToken } = await this.#refresh(provider, secrets, before.refreshToken)
      return await this.#upstreams.revoke(provider, { accessToken, refreshToken })
    } catch (cause) {
      this.#config.log.error('the provider could not be told that a connector is over', cause)
      return false
    }
  }

  #refresh(provider: Provider, { requestedScopes }: Secrets, refreshToken: string): Promise<ProviderTokens> {
    return refreshWithRetries(this.#upstreams, provider, { refreshToken, scopes: requestedScopes ?? provider.scopes })
  }

  async #read({ connectorId, ownerId }: CredentialKey): Promise<Credential> {
    const credential = await this.#store(store => store.credentials.get(connectorId, ownerId))
    if (!credential) throw new ConnectorError('not_connected', 'nobody has connected it')
    return credential
  }

  #save(credential: Credential): Promise<boolean> {
    return this.#store(store => store.credentials.save(credential))
  }

  /** Each call has a deadline of its own: a provider takes longer than a store may. */
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

/** OpenID Connect Core §12.2: the ID token of a refresh has the `iss` and the `sub` of the first. One that is not there says nothing. */
function isAnother(before: Identity | null, now: Identity | undefined): boolean {
  return before !== null && now !== undefined && (before.iss !== now.iss || before.sub !== now.sub)
}

function needsReconnect(): ConnectorError {
  return new ConnectorError('needs_reconnect', 'the provider no longer accepts what was granted: the user must connect it again')
}

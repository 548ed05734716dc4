import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'

/** `offset` and `limit` count records; `limit: 0` asks for the total alone. */
export interface PageQuery {
  readonly offset: number
  readonly limit: number
}
export interface Page<T> {
  readonly items: readonly T[]
  readonly total: number
}

/**
 * Everything authmount persists. Implement this to plug in a database.
 *
 * Rules for every method:
 * - Records are plain JSON. A caller that mutates one it gave or was given never changes the store.
 * - A record whose `expiresAt` is not after the present is absent, even if the database has not swept it yet.
 * - Absent is `undefined`, never an exception. Reject only when the database itself fails.
 * - Ids are hashed or random; no method is ever given a usable secret.
 * - A method marked ATOMIC holds under concurrent callers in other processes.
 * - Repeating a write with identical arguments gives the same answer: drivers re-send commands whose reply was lost.
 *   (Not so what deletes or revokes, which says whether there was anything to remove.)
 *
 * `authmount/testing` runs these rules against an implementation, races included.
 */
export interface Store {
  readonly apps: AppStore
  readonly oneTime: OneTimeStore
  readonly grants: GrantStore
  readonly consents: ConsentStore
  readonly credentials: CredentialStore
  readonly keys: KeyRingStore
}

// ── OAuth applications ───────────────────────────────────────────────────────

export type AppStatus = 'active' | 'suspended' | 'deleted'
export type GrantType = 'authorization_code' | 'refresh_token' | 'client_credentials'

/** base64url SHA-256 of a client secret. `expiresAt: null` until it is replaced. */
export interface AppSecret {
  readonly hash: string
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs | null
}

/** A registered client (RFC 6749 §2). `id` is 24 lower-case hex digits, and is also its `client_id`. */
export interface App {
  readonly id: string
  readonly orgId: string
  readonly createdBy: string
  readonly name: string
  readonly description: string
  readonly status: AppStatus
  readonly confidential: boolean
  /** Empty for a public app. More than one while an old secret overlaps its replacement. */
  readonly secrets: readonly AppSecret[]
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly GrantType[]
  readonly scopes: readonly string[]
  readonly accessTokenSeconds: number
  readonly refreshTokenSeconds: number
  /** Logo, homepage, policy and terms URLs: shown, never interpreted. */
  readonly profile: JsonObject
  readonly createdAt: EpochMs
  readonly updatedAt: EpochMs
  /** +1 to revoke everything issued so far, in one write: a grant is dead unless its `epoch` is its app's. */
  readonly epoch: number
  /** 1 when created, +1 per write. */
  readonly version: number
}

export interface AppQuery extends PageQuery {
  readonly orgId: string
  readonly createdBy?: string
  /** Omitted: every status except `deleted`. */
  readonly status?: AppStatus
  /** Case-insensitive literal substring of the name. Not a pattern. */
  readonly search?: string
}

export interface AppStore {
  get(id: string): Promise<App | undefined>
  /** ATOMIC. Writes iff the stored version is `app.version - 1` (absent counts as 0). False: someone else wrote first. */
  save(app: App): Promise<boolean>
  /** Newest first. `total` ignores offset and limit; `limit: 0` just counts. */
  list(query: AppQuery): Promise<Page<App>>
}

// ── One-time values: authorization codes, consent screens, connector state ───

export interface OneTimeData {
  /** RFC 6749 §4.1.2, RFC 7636 §4.4. `grantId` names the grant this code will become, so a replay can revoke it. */
  readonly code: {
    readonly grantId: string
    readonly clientId: string
    readonly userId: string
    readonly orgId: string
    readonly redirectUri: string
    readonly scopes: readonly string[]
    readonly codeChallenge: string | null
    readonly codeChallengeMethod: 'S256' | 'plain' | null
    /** Becomes the grant's: what the authorization request said that later tokens need. */
    readonly context: JsonObject
    /** {@link App.epoch} when the user agreed: a code issued before "revoke all" is as dead as a token. */
    readonly epoch: number
  }
  /** A validated authorize request waiting for the user's decision. The id doubles as the form's CSRF token. */
  readonly consent: {
    readonly userId: string
    readonly sessionId: string | null
    readonly clientId: string
    readonly params: JsonObject
  }
  /** Finds a waiting consent from the request's own parameters, for a consent screen that posts those. */
  readonly consent_lookup: { readonly consentId: string }
  /** That a browser was sent to the host's login for this very request, when and from what session: proof when it comes back. */
  readonly login: { readonly request: string; readonly sentAt: EpochMs; readonly session: string | null }
  /** That a browser was sent to the host's logout, and where it goes from there. */
  readonly logout: {
    readonly userId: string
    readonly orgId: string
    readonly clientId: string | null
    readonly redirectUri: string | null
    readonly state: string | null
  }
  /** `state` of a connector authorization the host started as a client (RFC 6749 §10.12). */
  readonly connector_state: {
    readonly connectorId: string
    readonly userId: string
    readonly orgId: string
    readonly redirectUri: string
    readonly codeVerifier: string | null
    readonly nonce: string | null
    /** SHA-256 of the cookie of the browser that began it; null where that does not matter. */
    readonly binding: string | null
    /** Origin of the front end to which the browser returns. */
    readonly returnTo: string
  }
  /** That a form came from a page that was shown to this user. */
  readonly form: { readonly userId: string; readonly sessionId: string | null }
  /** That a code of a sign-in provider has been tried. */
  readonly account_code: { readonly provider: string }
}
export type OneTimeKind = keyof OneTimeData
export interface OneTime<K extends OneTimeKind = OneTimeKind> {
  readonly kind: K
  /** base64url SHA-256 of the value handed out. Unique per kind. */
  readonly id: string
  readonly expiresAt: EpochMs
  readonly data: OneTimeData[K]
}

export interface OneTimeStore {
  /** Replaces an entry of the same kind and id, and forgets that it was consumed. */
  put<K extends OneTimeKind>(entry: OneTime<K>): Promise<void>
  /** Reads without consuming; consumed entries are still returned until they expire. */
  peek<K extends OneTimeKind>(kind: K, id: string): Promise<OneTime<K> | undefined>
  /**
   * ATOMIC. Exactly one `attempt` (a random id per HTTP request) ever gets `first: true`, however often it is re-sent;
   * every other attempt gets the same entry with `first: false`.
   */
  consume<K extends OneTimeKind>(
    kind: K,
    id: string,
    attempt: string,
  ): Promise<{ readonly entry: OneTime<K>; readonly first: boolean } | undefined>
}

// ── Grants: one authorization and every token descended from it ──────────────

/** The unit of atomicity: keep a grant and its tokens in one document, hash or row-locked family. */
export interface Grant {
  /** Begins with the 24 characters of `clientId`. */
  readonly id: string
  readonly clientId: string
  readonly orgId: string
  /** null for client_credentials. */
  readonly userId: string | null
  readonly scopes: readonly string[]
  readonly createdAt: EpochMs
  /** {@link App.epoch} when granted. Compared by flows, not by the store. */
  readonly epoch: number
  /** Carried to later tokens (nonce, auth_time, claims); opaque to the store. */
  readonly context: JsonObject
}
export interface Token {
  /** base64url SHA-256 of the token. Unique within its grant. */
  readonly id: string
  readonly kind: 'access' | 'refresh'
  readonly scopes: readonly string[]
  /** The resources an access token is good for (RFC 8707 §2.2). Absent: every one of the host's. */
  readonly audience?: readonly string[]
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
}
/** Every token carries its grant's id, so a store can go straight to the right partition. */
export interface TokenRef {
  readonly grantId: string
  readonly tokenId: string
}
/** How a refresh token was used up. `replay` is what `rotate` was given: the successor, sealed under the spent token. */
export interface Spent {
  readonly at: EpochMs
  readonly replay: string
}
/** A token and the grant it is of. */
export interface GrantedToken {
  readonly grant: Grant
  readonly token: Token
}
export interface FoundToken extends GrantedToken {
  readonly spent: Spent | null
}
/** Whose tokens: a client's of one epoch (what an older one has is dead, swept or not), or a user's of every client. */
export type TokenQuery = {
  /** `next` of the previous page. Pages stay consistent while tokens are added. */
  readonly after?: string
  readonly limit: number
} & ({ readonly clientId: string; readonly epoch: number } | { readonly userId: string })
/** Which grants to revoke: a client's, a user's, or those of a user with a client. One that names neither means none. */
export interface RevokeQuery {
  readonly clientId?: string
  readonly userId?: string
  /** Only of epochs before this one: what was granted since "revoke all" lives on. */
  readonly epochBelow?: number
}
export interface TokenPage {
  readonly items: readonly GrantedToken[]
  readonly total: number
  readonly next: string | null
}

export interface GrantStore {
  /**
   * ATOMIC. False, and nothing written, if the id is taken by a different grant, or by this one without these tokens.
   * Lives until its last token expires, or until that is revoked.
   */
  create(grant: Grant, tokens: readonly Token[]): Promise<boolean>
  /** Undefined for unknown, expired and revoked alike. A rotated refresh token is found with `spent` set. */
  find(ref: TokenRef): Promise<FoundToken | undefined>
  /**
   * ATOMIC. Spends a live refresh token, keeps `replay` and adds `next`; or does none of it. Never revives a revoked grant.
   * What is given was found a moment ago: its ids say what to spend, and the store's own record decides whether it may be.
   */
  rotate(found: GrantedToken, next: readonly Token[], replay: string): Promise<'rotated' | 'reused' | 'missing'>
  /** Revokes one token, leaving the rest of its grant. False if it was not there. */
  revokeToken(ref: TokenRef): Promise<boolean>
  /** ATOMIC. Revokes the grant and every token in it, including any a concurrent `rotate` is adding. */
  revoke(grantId: string): Promise<boolean>
  /** Revokes grants of a client or a user. Returns how many. Grants created meanwhile may survive. */
  revokeMany(query: RevokeQuery): Promise<number>
  /** Live tokens (not spent, revoked or expired), newest first. `total` ignores `after` and `limit`; `limit: 0` just counts. */
  listTokens(query: TokenQuery): Promise<TokenPage>
}

// ── What users have agreed to ────────────────────────────────────────────────

export interface Consent {
  readonly userId: string
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly grantedAt: EpochMs
}
export interface ConsentStore {
  get(userId: string, clientId: string): Promise<Consent | undefined>
  /** All of a user's, in any order. */
  list(userId: string): Promise<readonly Consent[]>
  /** Replaces any earlier consent of this user for this client. */
  put(consent: Consent): Promise<void>
  delete(userId: string, clientId: string): Promise<boolean>
}

// ── Tokens other providers issued to the host ────────────────────────────────

export interface Credential {
  readonly connectorId: string
  /** User or organisation the connector acts for. */
  readonly ownerId: string
  /** Compact JWE of the provider's token response. The store never sees plaintext. */
  readonly sealed: string
  /** When the access token inside stops working; null if the provider did not say. The record outlives it. */
  readonly expiresAt: EpochMs | null
  /** Until then, one process is refreshing it and the others wait: taken with `save`, before the provider is called. */
  readonly leaseUntil: EpochMs | null
  /** The provider refused to refresh it; only the user can fix that. */
  readonly needsReconnect: boolean
  readonly version: number
}
export interface CredentialStore {
  get(connectorId: string, ownerId: string): Promise<Credential | undefined>
  /** ATOMIC. Same version rule as {@link AppStore.save}; stops two refreshes overwriting each other. */
  save(credential: Credential): Promise<boolean>
  delete(connectorId: string, ownerId: string): Promise<boolean>
}

// ── Signing keys, when the host lets authmount manage them ───────────────────

export interface KeyRing {
  readonly sealed: string
  readonly version: number
}
export interface KeyRingStore {
  get(): Promise<KeyRing | undefined>
  /** ATOMIC. Same version rule: eight instances booting at once end with one ring. */
  save(ring: KeyRing): Promise<boolean>
}

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
 * - A store keeps what it does not know: fields of any record, nested ones included, through every method that reads,
 *   writes or lists it; and new values of a `kind`, `status`, `origin` or `authMethod`. No enumerations, checks or foreign
 *   keys on them. Only a store that packs records needs a format number of its own.
 * - Ids are compared character by character: case, accents, Unicode normal forms and trailing spaces count, and so does
 *   every character of a long id. An id may be any text of any length (authmount itself accepts user and organisation ids
 *   of at most 255 characters); a hash of fixed length is the easy key. Text is well formed: a lone surrogate never arrives.
 * - A one-time entry, token, grant, app or consent whose `expiresAt` is not after the present is absent everywhere, even if
 *   the database has not swept it yet. The present is the store's `now` option, never the database's clock.
 * - Absent is `undefined`, never an exception. Reject only when the database itself fails. A deadlock or a serialization
 *   failure is not that: the store tries again, within the host's `storeTimeoutMs`.
 * - Ids of secrets are hashed or random; no method is ever given a usable secret.
 * - A method marked ATOMIC holds under concurrent callers in other processes, and against a crash in the middle.
 * - Repeating a write with identical arguments gives the same answer until another write comes between: drivers re-send
 *   commands whose reply was lost. The methods that remove something are the exception: they say what this call removed.
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
/** How a client proves who it is at the token endpoint. A host may register methods of its own. */
export type AuthMethod = 'client_secret' | 'none' | 'private_key_jwt' | (string & {})
/** How an app came to be: by the host or its admins, by registration, by its metadata document, or for authmount's own use. */
export type AppOrigin = 'host' | 'registered' | 'metadata' | 'internal'
/** The public keys of a client (RFC 7591 §2): the set itself, or the https URL that serves it. */
export type AppKeys = { readonly jwks: { readonly keys: readonly JsonObject[] } } | { readonly jwksUri: string }

/** A client secret, as a hash. */
export interface AppSecret {
  /** base64url SHA-256. */
  readonly hash: string
  readonly createdAt: EpochMs
  /** When it stops working beside its replacement; null until it is replaced. Has nothing to do with the record's expiry. */
  readonly usableUntil: EpochMs | null
}

/** A registered client (RFC 6749 §2). */
export interface App {
  /** 24 lower-case hex digits: the key. The ids of its grants begin with it. */
  readonly id: string
  /** What it is called on the wire, where that is not `id`. No store method takes one. */
  readonly clientId?: string
  /** The organisation that manages it; empty for an app that nobody registered for an organisation. */
  readonly orgId: string
  readonly createdBy: string
  readonly name: string
  readonly description: string
  readonly status: AppStatus
  readonly origin: AppOrigin
  readonly authMethod: AuthMethod
  /** Empty for an app without a secret. More than one while an old secret overlaps its replacement. */
  readonly secrets: readonly AppSecret[]
  readonly keys?: AppKeys
  readonly redirectUris: readonly string[]
  /** Wire names (RFC 6749 §1.3); a host may add its own. */
  readonly grantTypes: readonly string[]
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
  /** When an unused app is forgotten. Whoever sets it sets it after the end of the last token of the app. Absent: never. */
  readonly expiresAt?: EpochMs
  /** How long the metadata document behind the record may be believed. Absent: there is none. */
  readonly freshUntil?: EpochMs
}

export interface AppQuery extends PageQuery {
  readonly orgId: string
  readonly origin?: AppOrigin
  readonly createdBy?: string
  /** Omitted: every status except `deleted`. */
  readonly status?: AppStatus
  /**
   * Literal substring of the name, compared by JavaScript's `toLowerCase` of both; accents count. A store may look through the
   * newest 1,000 names alone, and `total` then counts among these.
   */
  readonly search?: string
}

export interface AppStore {
  get(id: string): Promise<App | undefined>
  /**
   * ATOMIC. Writes iff the stored version is `app.version - 1` (absent or expired counts as 0). False: someone else wrote
   * first. Rejects for an `id` that is not 24 lower-case hex digits: nothing could ever reach that record.
   */
  save(app: App): Promise<boolean>
  /**
   * Newest first; of one `createdAt`, in descending order of `id`. `total` ignores offset and limit; `limit: 0` just counts.
   * Without `search`, a list reads about a page of records, however many the organisation has; deleted apps do not slow it.
   */
  list(query: AppQuery): Promise<Page<App>>
}

// ── One-time values: authorization codes, consent screens, connector state ───

export interface OneTimeData {
  /** RFC 6749 §4.1.2, RFC 7636 §4.4. `grantId` names the grant this code will become, so a replay can revoke it. */
  readonly code: {
    readonly grantId: string
    readonly appId: string
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
    readonly appId: string
    readonly params: JsonObject
    /** What the user is asked for. An app that may have more by the time of the answer does not get it. */
    readonly scopes: readonly string[]
    /** From which, with the secret id of the screen, the code follows: a user who clicks twice gets the same one. */
    readonly codeSalt: string
  }
  /** Finds a waiting consent from the request's own parameters, for a consent screen that posts those. */
  readonly consent_lookup: { readonly consentId: string }
  /** That a browser was sent to the host's login for this very request, when and from what session: proof when it comes back. */
  readonly login: { readonly request: string; readonly sentAt: EpochMs; readonly session: string | null }
  /** That a browser was sent to the host's logout, and where it goes from there. */
  readonly logout: {
    readonly userId: string
    readonly orgId: string
    readonly appId: string | null
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
  /**
   * That a grant, or one of its tokens, was ended a moment ago: whoever repeats that is told the same, and whoever is creating
   * the grant right now sees it. Never a proof that the end was stored.
   */
  readonly ended: { readonly appId: string; readonly orgId: string; readonly userId: string | null }
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
  /**
   * ATOMIC. If no live entry of this kind and id is there, however it came there, stores `entry` as claimed by `attempt`.
   * True iff the entry that is there was claimed by this `attempt`: one that was `put` is claimed by nobody. Of a repeat, the
   * entry is not looked at. `put` and expiry forget the claimer; `consume` leaves it, and has a winner of its own.
   * The caller adds to `expiresAt` what the clocks of its processes may differ by.
   */
  claim<K extends OneTimeKind>(entry: OneTime<K>, attempt: string): Promise<boolean>
  /** ATOMIC. Removes the entry iff this attempt claimed it. An absent entry, or one of another claimer, is left alone. */
  forget(kind: OneTimeKind, id: string, attempt: string): Promise<void>
}

// ── Grants: one authorization and every token descended from it ──────────────

/** The unit of atomicity: keep a grant and its tokens in one document, hash or row-locked family. */
export interface Grant {
  /** Begins with the 24 characters of `appId`. */
  readonly id: string
  readonly appId: string
  readonly orgId: string
  /** null where the app acts for itself. */
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
  /** What the host added to the token. Opaque to the store. */
  readonly claims?: JsonObject
  /** SHA-256 thumbprint of the key that the token is bound to (RFC 9449 §6.1). Absent: a bearer token. */
  readonly jkt?: string
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
/** Whose tokens: an app's of one epoch (those of an older one are dead, swept or not), or a user's of every app. */
export type TokenQuery = {
  /** `next` of the previous page. Pages stay consistent while tokens are added. */
  readonly after?: string
  readonly limit: number
} & ({ readonly appId: string; readonly epoch: number } | { readonly userId: string })
/** Which grants to revoke: those that match every member given. A query without `appId`, `userId` and `orgId` means none. */
export interface RevokeQuery {
  readonly appId?: string
  readonly userId?: string
  /** The organisation of the grant: the user's, or the app's where it acts for itself. */
  readonly orgId?: string
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
   * ATOMIC. False, and nothing written, if the id is taken by a different live grant, or by this one without these tokens.
   * Lives until its last token expires, or until that is revoked; then its id is free again.
   */
  create(grant: Grant, tokens: readonly Token[]): Promise<boolean>
  /** Undefined for unknown, expired and revoked alike. A rotated refresh token is found with `spent` set. */
  find(ref: TokenRef): Promise<FoundToken | undefined>
  /**
   * ATOMIC. Spends a live refresh token, keeps `replay` (up to 8 KiB) and adds `next`; or does none of it. The grant then lives
   * as long as the longest of its tokens. Never revives a revoked grant.
   * `found` was read a moment ago: its ids say what to spend, and the store's own record decides whether it may be.
   */
  rotate(found: GrantedToken, next: readonly Token[], replay: string): Promise<'rotated' | 'reused' | 'missing'>
  /**
   * ATOMIC. Adds tokens to a live grant, prolongs it as `rotate` does, and leaves the presented token as it is. `missing`, and
   * nothing written, unless the store's own record of `found.token` is a live, unspent refresh token of a live grant.
   * The same tokens again are `added`, and nothing more is. Rejects where a token id is there with other content.
   */
  add(found: GrantedToken, tokens: readonly Token[]): Promise<'added' | 'missing'>
  /** Revokes one token, leaving the rest of its grant. False if it was not there. */
  revokeToken(ref: TokenRef): Promise<boolean>
  /** ATOMIC. Revokes the grant and every token in it, including any a concurrent `rotate` is adding. */
  revoke(grantId: string): Promise<boolean>
  /** Revokes the grants that match, however many. Returns how many were live. Grants created meanwhile may survive. */
  revokeMany(query: RevokeQuery): Promise<number>
  /** Live tokens (not spent, revoked or expired), newest first. `total` ignores `after` and `limit`; `limit: 0` just counts. */
  listTokens(query: TokenQuery): Promise<TokenPage>
}

// ── What users have agreed to ────────────────────────────────────────────────

/** Who agreed: a user for themselves, or an organisation for its members. The two never meet, even with the same text. */
export type ConsentOwner = { readonly userId: string } | { readonly orgId: string }

/** What an owner allows an app. With an organisation as owner it is an admission of an app that nobody registered there. */
export interface Consent {
  readonly owner: ConsentOwner
  readonly appId: string
  /** Empty: withdrawn. The record stays until its `expiresAt`, so that the next version follows this one. */
  readonly scopes: readonly string[]
  readonly grantedAt: EpochMs
  /** Of an admission: whether an admin has allowed it, refused it, or not decided. */
  readonly state?: 'pending' | 'allowed' | 'refused'
  /** Of an admission: raised to end every grant that was made under it. Grants keep the epoch they were made under. */
  readonly epoch?: number
  /** Absent: until it is withdrawn. */
  readonly expiresAt?: EpochMs
  /** 1 when created, +1 per write. */
  readonly version: number
}
export interface ConsentQuery {
  /** `next` of the previous page. */
  readonly after?: string
  readonly limit: number
}
export interface ConsentPage {
  readonly items: readonly Consent[]
  /** null on the last page. */
  readonly next: string | null
}
export interface ConsentStore {
  /** A withdrawn one is returned until it expires. */
  get(owner: ConsentOwner, appId: string): Promise<Consent | undefined>
  /**
   * An owner's consents, withdrawn ones left out, in an order that stays while pages are read. A page may hold fewer than
   * `limit`; `next` says whether there are more.
   */
  list(owner: ConsentOwner, query: ConsentQuery): Promise<ConsentPage>
  /** ATOMIC. Same version rule as {@link AppStore.save}: an expired record counts as version 0. */
  save(consent: Consent): Promise<boolean>
}

// ── Tokens other providers issued to the host ────────────────────────────────

export interface Credential {
  readonly connectorId: string
  /** User or organisation the connector acts for. */
  readonly ownerId: string
  /** Compact JWE of the provider's token response. The store never sees plaintext. */
  readonly sealed: string
  /** When the access token inside stops working; null if the provider did not say. The record outlives it. */
  readonly accessExpiresAt: EpochMs | null
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

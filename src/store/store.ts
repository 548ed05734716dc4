import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'

/** A page of a list, by position. */
export interface PageQuery {
  /** How many records to skip. */
  readonly offset: number
  /** How many records to return at most; 0 returns the total alone. */
  readonly limit: number
}
/** One page of a list. */
export interface Page<T> {
  /** The records of this page. */
  readonly items: readonly T[]
  /** How many records match, on all pages together. */
  readonly total: number
}

/**
 * The storage contract: everything that authmount persists. Implement this to plug in a database.
 *
 * Rules for every method:
 * - Records are plain JSON. Mutating a record that was passed in or returned never changes the store.
 * - A store keeps unknown fields of any record, nested ones included, through every method that reads, writes or lists it;
 *   and unknown values of `kind`, `status`, `origin` and `authMethod`. It puts no enumerations, checks or foreign keys on
 *   them. Only a store that packs records needs a format number of its own.
 * - Ids are compared character by character: case, accents, Unicode normal forms and trailing spaces count, and so does
 *   every character of a long id. An id may be any text of any length (authmount itself accepts user and organisation ids
 *   of at most 255 characters); a hash of fixed length makes the simplest key. Text has no lone surrogates.
 * - A one-time entry, token, grant, app or consent is absent everywhere from the instant `expiresAt` on, even if the database
 *   has not swept it yet. The store's `now` option is the clock, never the database's own.
 * - Absent records resolve to `undefined`, never to an exception. A method rejects only when the database itself fails. The
 *   store retries after a deadlock or a serialization failure, within the host's `storeTimeoutMs`.
 * - Ids of secrets are hashed or random; no method ever receives a usable secret.
 * - A method marked ATOMIC holds under concurrent callers in other processes, and against a crash in the middle.
 * - Writes are idempotent: the same arguments give the same answer until another write comes between, because drivers re-send
 *   commands whose reply was lost. Methods that remove something are the exception: they report what this call removed.
 *
 * `authmount/testing` runs these rules against an implementation, races included.
 */
export interface Store {
  /** Registered apps. */
  readonly apps: AppStore
  /** Values that are used once or expire: codes, consent screens, states. */
  readonly oneTime: OneTimeStore
  /** Grants and their tokens. */
  readonly grants: GrantStore
  /** The consents of users. */
  readonly consents: ConsentStore
  /** Tokens that other providers issued to the host. */
  readonly credentials: CredentialStore
  /** The signing keys, if authmount manages them. */
  readonly keys: KeyRingStore
}

// ── OAuth applications ───────────────────────────────────────────────────────

/** Whether an app may get codes and tokens: `suspended` ones keep the tokens they have, `deleted` ones have none. */
export type AppStatus = 'active' | 'suspended' | 'deleted'
/** How a client proves who it is at the token endpoint. A host may register methods of its own. */
export type AuthMethod = 'client_secret' | 'none' | 'private_key_jwt' | (string & {})
/** Who created an app: the host or its admins, dynamic registration, its metadata document, or authmount for its own use. */
export type AppOrigin = 'host' | 'registered' | 'metadata' | 'internal'
/** The public keys of a client (RFC 7591 §2): the set itself, or the https URL that serves it. */
export type AppKeys =
  | {
      /** The key set (RFC 7517 §5). */
      readonly jwks: {
        /** Its keys, as JWKs. */
        readonly keys: readonly JsonObject[]
      }
    }
  | {
      /** The https URL of the key set. */
      readonly jwksUri: string
    }

/** A client secret, as a hash. */
export interface AppSecret {
  /** The base64url SHA-256 of the secret. */
  readonly hash: string
  /** When it was made. */
  readonly createdAt: EpochMs
  /** When it stops working beside its replacement; null until it is replaced. Independent of the record's expiry. */
  readonly usableUntil: EpochMs | null
}

/** A registered client (RFC 6749 §2). */
export interface App {
  /** 24 lower-case hex digits: the key. The ids of its grants begin with it. */
  readonly id: string
  /** Its name on the wire, where that is not `id`. No store method takes one. */
  readonly clientId?: string
  /** The organisation that manages it; empty for an app that was not registered for an organisation. */
  readonly orgId: string
  /** The user who registered it. */
  readonly createdBy: string
  /** The name that users see. */
  readonly name: string
  /** The description that users see. */
  readonly description: string
  /** Whether it may get codes and tokens. */
  readonly status: AppStatus
  /** Who created it. */
  readonly origin: AppOrigin
  /** The one method by which it authenticates. */
  readonly authMethod: AuthMethod
  /** Empty for an app without a secret. More than one while an old secret overlaps its replacement. */
  readonly secrets: readonly AppSecret[]
  /** The public keys of an app that authenticates with `private_key_jwt`. */
  readonly keys?: AppKeys
  /** The algorithm that signs its ID tokens. Absent: the server's own. */
  readonly idTokenSignedResponseAlg?: string
  /** The redirect URIs it has registered. */
  readonly redirectUris: readonly string[]
  /** Origins of its pages beside those of its redirect URIs, as browsers send them. Absent: none. */
  readonly allowedOrigins?: readonly string[]
  /** Where browsers may go after a logout that it asked for. Absent: to one of `redirectUris`. */
  readonly postLogoutRedirectUris?: readonly string[]
  /** The URL that receives logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.2). Absent: it is not told of sign-outs. */
  readonly backchannelLogoutUri?: string
  /** Whether a logout token must name a session for this app. Absent: it need not. */
  readonly backchannelLogoutSessionRequired?: boolean
  /** Whether its tokens must be bound to a key (RFC 9449 §5.2). Absent: only if the server requires it. */
  readonly dpopBoundAccessTokens?: boolean
  /** Whether it must push its authorization requests (RFC 9126 §6). Absent: only if every app must. */
  readonly requirePushedAuthorizationRequests?: boolean
  /** Wire names of grants (RFC 6749 §1.3); a host may add its own. */
  readonly grantTypes: readonly string[]
  /** The scopes it may ask for. */
  readonly scopes: readonly string[]
  /** The lifetime of its access tokens, in seconds. */
  readonly accessTokenSeconds: number
  /** The lifetime of its refresh tokens, in seconds. */
  readonly refreshTokenSeconds: number
  /** When each of its grants ends, in days from its beginning. Null or absent: as the host's options say. */
  readonly grantDays?: number | null
  /** Logo, homepage, policy and terms URLs: shown, never interpreted. */
  readonly profile: JsonObject
  /** What an app that nobody registered by hand says of itself, by the names of RFC 7591 §2. Absent for others. */
  readonly metadata?: JsonObject
  /** SHA-256 of the token with which a client that registered itself reads or deletes its registration (RFC 7592 §1.2). */
  readonly registrationToken?: string
  /** When it last got a token, to the day. Absent: never, or it is not recorded. */
  readonly lastUsedAt?: EpochMs
  /** When it was registered. */
  readonly createdAt: EpochMs
  /** When it was last changed. */
  readonly updatedAt: EpochMs
  /** +1 revokes everything issued so far, in one write: a grant is dead unless its `epoch` equals its app's. */
  readonly epoch: number
  /** 1 when created, +1 per write. */
  readonly version: number
  /** When an unused app expires: always after the last token of the app. Absent: never. */
  readonly expiresAt?: EpochMs
  /** Until when the cached metadata document behind the record is fresh. Absent: there is none. */
  readonly freshUntil?: EpochMs
}

/** Which apps to list. */
export interface AppQuery extends PageQuery {
  /** The organisation that manages them; empty for those that were not registered for an organisation. */
  readonly orgId: string
  /** Only those of this origin. Omitted: any. */
  readonly origin?: AppOrigin
  /** Only those that this user registered. Omitted: any. */
  readonly createdBy?: string
  /** Only those of this status. Omitted: every status except `deleted`. */
  readonly status?: AppStatus
  /**
   * A literal substring of the name; both are compared after JavaScript's `toLowerCase`, and accents count. A store may search
   * the newest 1,000 names alone, and `total` then counts among these.
   */
  readonly search?: string
}

/** Stores apps. */
export interface AppStore {
  /** Reads an app; undefined if it is absent or expired. */
  get(id: string): Promise<App | undefined>
  /**
   * ATOMIC. Writes iff the stored version is `app.version - 1` (an absent or expired record counts as 0). False if another
   * write came first. Rejects for an `id` that is not 24 lower-case hex digits, because such a record could never be read.
   */
  save(app: App): Promise<boolean>
  /**
   * Lists apps, newest first; equal `createdAt` in descending order of `id`. `total` ignores offset and limit; `limit: 0` just
   * counts. Without `search`, a list reads about a page of records, however many the organisation has; deleted apps do not slow it.
   */
  list(query: AppQuery): Promise<Page<App>>
}

// ── One-time values: authorization codes, consent screens, connector state ───

/** The data of each kind of one-time entry. */
export interface OneTimeData {
  /** An authorization code (RFC 6749 §4.1.2, RFC 7636 §4.4). */
  readonly code: {
    /** The id of the grant this code will become, so that a replay can revoke it. */
    readonly grantId: string
    /** The app it was issued to. */
    readonly appId: string
    /** The user who agreed. */
    readonly userId: string
    /** The user's organisation. */
    readonly orgId: string
    /** The redirect URI of the authorization request, which the token request must repeat (RFC 6749 §4.1.3). */
    readonly redirectUri: string
    /** The scopes the user agreed to. */
    readonly scopes: readonly string[]
    /** The PKCE challenge; null if the request had none. */
    readonly codeChallenge: string | null
    /** The method of the challenge; null if the request had none. */
    readonly codeChallengeMethod: 'S256' | 'plain' | null
    /** The parts of the authorization request that later tokens need. Becomes the context of the grant. */
    readonly context: JsonObject
    /** {@link App.epoch} when the user agreed: a code issued before "revoke all" is as dead as a token. */
    readonly epoch: number
  }
  /** A validated authorization request that waits for the user's decision. The id doubles as the form's CSRF token. */
  readonly consent: {
    /** The user who must decide. */
    readonly userId: string
    /** A digest of the host's session in which the screen was opened; null if the host does not name sessions. */
    readonly session: string | null
    /** The app that asks. */
    readonly appId: string
    /** The parameters of the request. */
    readonly params: JsonObject
    /** The scopes the user is asked for. The answer grants no others, even if the app is allowed more by then. */
    readonly scopes: readonly string[]
    /** What the steps say that were passed for this request; absent if there were none. */
    readonly steps?: StepsData
    /** The optional ones among them that were allowed before, and are shown ticked. Absent: none. */
    readonly ticked?: readonly string[]
    /** A digest of what the screen shows of a client that nobody registered by hand; absent or null for another. */
    readonly clientSeen?: string | null
    /** The id of the pushed request that the screen was opened for, which the answer closes. Absent for a plain request. */
    readonly pushed?: string
    /** The salt from which, with the secret id of the screen, the code is derived, so that a second click gets the same code. */
    readonly codeSalt: string
  }
  /** A pushed authorization request that is not answered yet (RFC 9126 §2.2). Claimed, and forgotten once it is answered. */
  readonly pushed: {
    /** The app that asks. */
    readonly appId: string
    /** The parameters of the request. */
    readonly params: JsonObject
    /** {@link App.epoch} when it was pushed. */
    readonly epoch: number
    /** Whether the app itself pushed it, or the browser of a user posted a request that is too long for a URL. */
    readonly pushedBy: 'client' | 'browser'
    /** From this instant on, no browser can begin with it. The entry lives on for screens that are open by then. */
    readonly usableUntil: EpochMs
    /** The attempt that claimed the entry. */
    readonly attempt: string
  }
  /** A device that waits for its user (RFC 8628). Kept longer than its code, so that the device learns that the code has expired. */
  readonly device: {
    /** The app that asks. */
    readonly appId: string
    /** {@link App.epoch} when the device asked. */
    readonly epoch: number
    /** The scopes the user is asked for. */
    readonly scopes: readonly string[]
    /** The resources that the device named (RFC 8707); null if it named none. */
    readonly audience: readonly string[] | null
    /** The PKCE challenge; null if the request had none. */
    readonly codeChallenge: string | null
    /** The method of the challenge; null if the request had none. */
    readonly codeChallengeMethod: 'S256' | 'plain' | null
    /** When the device asked. */
    readonly askedAt: EpochMs
    /** Until when the user may answer. */
    readonly answerUntil: EpochMs
    /** The address from which the device asked; null if the framework does not tell. */
    readonly ip: string | null
  }
  /** The index from the code that a user types to the waiting device. */
  readonly device_user: {
    /** The id of the entry `device`. */
    readonly deviceId: string
  }
  /** The user's answer to a device; its id is that of the entry `device`. */
  readonly device_decision: {
    /** Whether the user agreed. */
    readonly granted: boolean
    /** The user who answered. */
    readonly userId: string
    /** The user's organisation. */
    readonly orgId: string
    /** The id of the grant that the device will get. */
    readonly grantId: string
    /** The scopes the user agreed to. */
    readonly scopes: readonly string[]
    /** The parts of the request that later tokens need. Becomes the context of the grant. */
    readonly context: JsonObject
    /** {@link App.epoch} when the user answered. */
    readonly epoch: number
    /** When the user answered. */
    readonly answeredAt?: EpochMs
  }
  /** The mark that a device has asked within this interval. */
  readonly device_poll: {
    /** The id of the entry `device`. */
    readonly deviceId: string
  }
  /** The index from the parameters of a request to its waiting consent, for a consent screen that posts the parameters. */
  readonly consent_lookup: {
    /** The id of the waiting consent. */
    readonly consentId: string
  }
  /** The record that a browser was sent to the host's login for this very request: the proof when it comes back. */
  readonly login: {
    /** A digest of the request. */
    readonly request: string
    /** When the browser was sent. */
    readonly sentAt: EpochMs
    /** A digest of the session the browser had then; null if it had none. */
    readonly session: string | null
  }
  /** A step of the host's that a user must pass before the request goes on. What passed it is an entry `passed_step` of the same id. */
  readonly step: {
    /** The user who must pass it. */
    readonly userId: string
    /** The user's organisation for this request. */
    readonly orgId: string
    /** A digest of the host's session in which the request was made; null if the host does not name sessions. */
    readonly session: string | null
    /** The app that asks, by its `client_id`. */
    readonly clientId: string
    /** A digest of the request. */
    readonly request: string
    /** The name of the step. */
    readonly name: string
    /** For how long it is remembered once it was passed, in seconds. */
    readonly rememberSeconds: number
    /** Where the browser comes back: a path below the mount path, with a query. */
    readonly back: string
    /** The steps that were passed before it for this request. */
    readonly passed: readonly PassedStepData[]
  }
  /** A step that was passed: of one request, by the id of its step, or remembered, by its user, session and name. */
  readonly passed_step: PassedStepData
  /** The record that a browser was sent to the host's logout, and where it goes from there. */
  readonly logout: {
    /** The user who was signed in. */
    readonly userId: string
    /** The user's organisation. */
    readonly orgId: string
    /** The app that asked; null if it did not name itself. */
    readonly appId: string | null
    /** Where the browser goes afterwards; null: to the host. */
    readonly redirectUri: string | null
    /** The app's `state`; null if it sent none. */
    readonly state: string | null
    /** The `sid` of the session that is to end. Absent or null if the host does not name sessions. */
    readonly sid?: string | null
  }
  /** The `state` of a connector authorization that the host began as a client (RFC 6749 §10.12). */
  readonly connector_state: {
    /** The connector. */
    readonly connectorId: string
    /** The user who began the flow. */
    readonly userId: string
    /** The user's organisation. */
    readonly orgId: string
    /** The redirect URI of the authorization request. */
    readonly redirectUri: string
    /** The PKCE verifier; null for a provider without PKCE. */
    readonly codeVerifier: string | null
    /** The OpenID Connect nonce; null if none was sent. */
    readonly nonce: string | null
    /** SHA-256 of the cookie of the browser that began the flow; null if callbacks are not bound to a browser. */
    readonly binding: string | null
    /** Origin of the front end to which the browser returns. */
    readonly returnTo: string
  }
  /** The record that a form was shown to this user. */
  readonly form: {
    /** The user to whom the form was shown. */
    readonly userId: string
    /** A digest of the host's session; null if the host does not name sessions. */
    readonly session: string | null
  }
  /** The record that a code of a sign-in provider has been tried. */
  readonly account_code: {
    /** The provider, as the host names it. */
    readonly provider: string
  }
  /** The record that a proof of a key was used (RFC 9449 §11.1). */
  readonly dpop_proof: {
    /** The thumbprint of the key. */
    readonly jkt: string
  }
  /** The record that an app has authenticated with this assertion, which works once (RFC 7523 §3). */
  readonly assertion: {
    /** The app that signed it. */
    readonly appId: string
  }
  /**
   * The mark that a grant, or one of its tokens, was ended a moment ago: a repeat gets the same answer, and a concurrent
   * creation of the grant sees it. It does not prove that the end was stored.
   */
  readonly ended: {
    /** The app of the grant. */
    readonly appId: string
    /** The organisation of the grant. */
    readonly orgId: string
    /** The user of the grant; null where the app acted for itself. */
    readonly userId: string | null
  }
}
/** What passed steps say of the user. */
export interface StepsData {
  /** The organisation in which the user acts; null: that of their session. */
  readonly orgId: string | null
  /** The authentication context; null: that of their session. */
  readonly acr: string | null
  /** The authentication methods beside those of their session. */
  readonly amr: readonly string[]
}
/** One step that was passed. */
export interface PassedStepData extends StepsData {
  /** Its name. */
  readonly name: string
  /** When it was passed. */
  readonly at: EpochMs
}
/** The kinds of one-time entries. A later version may add some. */
export type OneTimeKind = keyof OneTimeData
/** A record that is used once or expires. */
export interface OneTime<K extends OneTimeKind = OneTimeKind> {
  /** Its kind. */
  readonly kind: K
  /** The base64url SHA-256 of the value that was handed out. Unique per kind. */
  readonly id: string
  /** From this instant on, the entry is absent. */
  readonly expiresAt: EpochMs
  /** Its data, by its kind. */
  readonly data: OneTimeData[K]
}

/** Stores one-time entries. */
export interface OneTimeStore {
  /** Stores an entry. Replaces one of the same kind and id, and forgets who claimed or consumed it. */
  put<K extends OneTimeKind>(entry: OneTime<K>): Promise<void>
  /** Reads an entry without consuming it. Consumed entries are returned until they expire. */
  peek<K extends OneTimeKind>(kind: K, id: string): Promise<OneTime<K> | undefined>
  /**
   * ATOMIC. Exactly one `attempt` (a random id per HTTP request) ever gets `first: true`, however often it is re-sent;
   * every other attempt gets the same entry with `first: false`. Undefined if the entry is absent.
   */
  consume<K extends OneTimeKind>(
    kind: K,
    id: string,
    attempt: string,
  ): Promise<
    | {
        /** The entry. */
        readonly entry: OneTime<K>
        /** Whether this attempt consumed it. */
        readonly first: boolean
      }
    | undefined
  >
  /**
   * ATOMIC. Stores `entry` as claimed by `attempt`, unless a live entry of this kind and id exists.
   * True iff the stored entry was claimed by this `attempt`; an entry that was `put` has no claimer. A repeat does not compare
   * or replace the entry. `put` and expiry forget the claimer; `consume` leaves it, and has a winner of its own.
   * The caller adds the clock skew between its processes to `expiresAt`.
   */
  claim<K extends OneTimeKind>(entry: OneTime<K>, attempt: string): Promise<boolean>
  /** ATOMIC. Removes the entry iff this attempt claimed it. Does nothing if the entry is absent or has another claimer. */
  forget(kind: OneTimeKind, id: string, attempt: string): Promise<void>
}

// ── Grants: one authorization and every token descended from it ──────────────

/** One authorization. The unit of atomicity: keep a grant and its tokens in one document, hash or row-locked family. */
export interface Grant {
  /** Its key, which begins with the 24 characters of `appId`. */
  readonly id: string
  /** The app it was granted to. */
  readonly appId: string
  /** The user's organisation; the app's own where it acts for itself. */
  readonly orgId: string
  /** The user who granted it; null where the app acts for itself. */
  readonly userId: string | null
  /** The scopes that were granted. Later tokens never have more. */
  readonly scopes: readonly string[]
  /** When it was granted. */
  readonly createdAt: EpochMs
  /** {@link App.epoch} when granted. Compared by flows, not by the store. */
  readonly epoch: number
  /** The parts of the authorization request that later tokens need (nonce, auth_time, claims). Opaque to the store. */
  readonly context: JsonObject
}
/** An access or refresh token, as the store keeps it. */
export interface Token {
  /** The base64url SHA-256 of the token. Unique within its grant. */
  readonly id: string
  /** Which kind of token it is. */
  readonly kind: 'access' | 'refresh'
  /** Its scopes. */
  readonly scopes: readonly string[]
  /** The resources for which an access token is valid (RFC 8707 §2.2). Absent: all of the host's resources. */
  readonly audience?: readonly string[]
  /** The claims that the host added to the token. Opaque to the store. */
  readonly claims?: JsonObject
  /** SHA-256 thumbprint of the key that the token is bound to (RFC 9449 §6.1). Absent: a bearer token. */
  readonly jkt?: string
  /** When it was issued. */
  readonly issuedAt: EpochMs
  /** From this instant on, the token is absent. */
  readonly expiresAt: EpochMs
}
/** The key of a token. It names the grant too, so that a store reads from the right partition at once. */
export interface TokenRef {
  /** The id of its grant. */
  readonly grantId: string
  /** The id of the token. */
  readonly tokenId: string
}
/** How a refresh token was used up. */
export interface Spent {
  /** When it was rotated. */
  readonly at: EpochMs
  /** The text that `rotate` received: the successor, sealed under the spent token. */
  readonly replay: string
}
/** A token and its grant. */
export interface GrantedToken {
  /** The grant. */
  readonly grant: Grant
  /** The token. */
  readonly token: Token
}
/** A stored token and its grant. */
export interface FoundToken extends GrantedToken {
  /** How a refresh token was used up; null for a live token. */
  readonly spent: Spent | null
}
/** Which tokens to list: those of an app and one epoch (tokens of an older epoch are dead, swept or not), or those of a user. */
export type TokenQuery = {
  /** `next` of the previous page. Pages stay consistent while tokens are added. */
  readonly after?: string
  /** How many tokens to return at most; 0 returns the total alone. */
  readonly limit: number
} & (
  | {
      /** The app. */
      readonly appId: string
      /** The epoch of the app. */
      readonly epoch: number
    }
  | {
      /** The user, with every app and whatever the epoch. */
      readonly userId: string
    }
)
/** Which grants to revoke: those that match every member given. A query without `appId`, `userId` and `orgId` matches none. */
export interface RevokeQuery {
  /** Only those of this app. */
  readonly appId?: string
  /** Only those of this user. */
  readonly userId?: string
  /** Only those of this organisation: the user's, or the app's where it acts for itself. */
  readonly orgId?: string
  /** Only those of epochs before this one: grants made since "revoke all" live on. */
  readonly epochBelow?: number
}
/** One page of tokens. */
export interface TokenPage {
  /** The tokens of this page. */
  readonly items: readonly GrantedToken[]
  /** How many live tokens match, on all pages together. */
  readonly total: number
  /** The cursor of the next page; null on the last page. */
  readonly next: string | null
}

/** Stores grants and their tokens. */
export interface GrantStore {
  /**
   * ATOMIC. Stores a new grant with its tokens. False, and nothing written, if the id is taken by a different live grant, or by
   * this one without these tokens. A grant lives until its last token expires or is revoked; then its id is free again.
   */
  create(grant: Grant, tokens: readonly Token[]): Promise<boolean>
  /** Finds a token. Undefined for unknown, expired and revoked alike. A rotated refresh token is found with `spent` set. */
  find(ref: TokenRef): Promise<FoundToken | undefined>
  /**
   * ATOMIC. Spends a live refresh token, keeps `replay` (up to 8 KiB) and adds `next`; or does none of it. The grant then lives
   * as long as the longest-lived of its tokens. Never revives a revoked grant.
   * `found` may be stale: its ids name the token to spend, and the stored record decides whether it can be spent.
   */
  rotate(found: GrantedToken, next: readonly Token[], replay: string): Promise<'rotated' | 'reused' | 'missing'>
  /**
   * ATOMIC. Adds tokens to a live grant, prolongs it as `rotate` does, and leaves the presented token as it is. `missing`, and
   * nothing written, unless the stored record of `found.token` is a live, unspent refresh token of a live grant.
   * A repeat with the same tokens resolves to `added` and adds nothing. Rejects if a token id exists with other content.
   */
  add(found: GrantedToken, tokens: readonly Token[]): Promise<'added' | 'missing'>
  /** Revokes one token and leaves the rest of its grant. False if the token was absent. */
  revokeToken(ref: TokenRef): Promise<boolean>
  /** ATOMIC. Revokes the grant and every token in it, including those a concurrent `rotate` is adding. False if it was absent. */
  revoke(grantId: string): Promise<boolean>
  /** Revokes the grants that match, however many. Returns how many were live. Grants created meanwhile may survive. */
  revokeMany(query: RevokeQuery): Promise<number>
  /** Lists live tokens (not spent, revoked or expired), newest first. `total` ignores `after` and `limit`; `limit: 0` just counts. */
  listTokens(query: TokenQuery): Promise<TokenPage>
}

// ── What users have agreed to ────────────────────────────────────────────────

/** Who agreed: a user for themselves, or an organisation for its members. The two are distinct owners even with the same id. */
export type ConsentOwner =
  | {
      /** The user. */
      readonly userId: string
    }
  | {
      /** The organisation. */
      readonly orgId: string
    }

/** Whether an admin has allowed an admission, refused it, or not decided; `used`: users of the organisation use the app where no admin needs to decide. */
export type AdmissionState = 'pending' | 'allowed' | 'refused' | 'used'

/** The end of a session of the host. */
export interface SignedOut {
  /** The `sid` of the session; null: every session of the user. */
  readonly sid: string | null
  /** When it ended. */
  readonly at: EpochMs
}

/** The scopes that an owner allows an app. With an organisation as owner, it admits an app that was not registered there. */
export interface Consent {
  /** The user or organisation that agreed. */
  readonly owner: ConsentOwner
  /** The app. */
  readonly appId: string
  /** The scopes that are allowed. Empty: withdrawn; the record then stays until its `expiresAt`, so that the next version follows it. */
  readonly scopes: readonly string[]
  /** When the owner last agreed. */
  readonly grantedAt: EpochMs
  /** When scopes were last allowed that were not asked for at `grantedAt`, by name. Absent: all were allowed then. */
  readonly allowedAt?: Readonly<Record<string, EpochMs>>
  /** When the user last declined optional scopes, by name, that are not allowed. Absent: none. */
  readonly declined?: Readonly<Record<string, EpochMs>>
  /** What an admission is. Absent for a user's consent. */
  readonly state?: AdmissionState
  /** The user who asked for an admission. */
  readonly askedBy?: string
  /** When the organisation of an admission first heard of the client. */
  readonly firstSeenAt?: EpochMs
  /** When the client was last used in the organisation of an admission, to the day. Absent: never. */
  readonly lastUsedAt?: EpochMs
  /** Raised to end every grant that was made under an admission: grants keep the epoch they were made under. */
  readonly epoch?: number
  /**
   * The `sid` of each session of the host in which the app has signed the user in, newest last, until the app was told that it
   * has ended. Only for apps with a `backchannelLogoutUri`.
   */
  readonly sessions?: readonly string[]
  /** The sessions that ended a moment ago: no code is redeemed that was issued in one of them before. */
  readonly signedOut?: readonly SignedOut[]
  /** From this instant on, the consent is absent. Absent: until it is withdrawn. */
  readonly expiresAt?: EpochMs
  /** 1 when created, +1 per write. */
  readonly version: number
}
/** A page of consents. */
export interface ConsentQuery {
  /** `next` of the previous page. */
  readonly after?: string
  /** How many consents to return at most. */
  readonly limit: number
}
/** One page of consents. */
export interface ConsentPage {
  /** The consents of this page. */
  readonly items: readonly Consent[]
  /** The cursor of the next page; null on the last page. */
  readonly next: string | null
}
/** Stores consents. */
export interface ConsentStore {
  /** Reads a consent. A withdrawn one is returned until it expires. */
  get(owner: ConsentOwner, appId: string): Promise<Consent | undefined>
  /**
   * Lists the consents of an owner without the withdrawn ones, in an order that is stable while pages are read. A page may hold
   * fewer than `limit`; `next` tells whether another follows.
   */
  list(owner: ConsentOwner, query: ConsentQuery): Promise<ConsentPage>
  /** ATOMIC. Same version rule as {@link AppStore.save}: an expired record counts as version 0. */
  save(consent: Consent): Promise<boolean>
}

// ── Tokens other providers issued to the host ────────────────────────────────

/** The tokens that a provider issued to the host for an outside account. */
export interface Credential {
  /** The connector. */
  readonly connectorId: string
  /** The user or organisation for which the connector acts. */
  readonly ownerId: string
  /** Compact JWE of the provider's token response. The store never sees plaintext. */
  readonly sealed: string
  /** When the access token inside stops working; null if the provider did not say. The record outlives it. */
  readonly accessExpiresAt: EpochMs | null
  /** The lease of the process that refreshes it: until then the others wait. Taken with `save`, before the provider is called. */
  readonly leaseUntil: EpochMs | null
  /** Whether the provider refused to refresh it: only the user can connect the account again. */
  readonly needsReconnect: boolean
  /** 1 when created, +1 per write. */
  readonly version: number
}
/** Stores credentials. */
export interface CredentialStore {
  /** Reads a credential. */
  get(connectorId: string, ownerId: string): Promise<Credential | undefined>
  /** ATOMIC. Same version rule as {@link AppStore.save}, so that concurrent refreshes cannot overwrite each other. */
  save(credential: Credential): Promise<boolean>
  /** Deletes a credential. False if it was absent. */
  delete(connectorId: string, ownerId: string): Promise<boolean>
}

// ── Signing keys, when the host lets authmount manage them ───────────────────

/** The signing keys that authmount manages. */
export interface KeyRing {
  /** Compact JWE of the keys. The store never sees plaintext. */
  readonly sealed: string
  /** 1 when created, +1 per write. */
  readonly version: number
}
/** Stores the one key ring. */
export interface KeyRingStore {
  /** Reads the ring; undefined before the first is saved. */
  get(): Promise<KeyRing | undefined>
  /** ATOMIC. Same version rule as {@link AppStore.save}: eight processes that start concurrently end with one ring. */
  save(ring: KeyRing): Promise<boolean>
}

import type { JWK } from 'jose'
import type { RateLimiterAbstract } from 'rate-limiter-flexible'
import type { AuthmountEvent } from '../base/events.ts'
import type { JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import type { ConnectorOptions } from '../connectors/options.ts'
import type { SignInProvider } from '../connectors/provider.ts'
import type { RateLimit } from '../http/limits.ts'
import type { HttpRequest } from '../http/types.ts'
import type { ConsentView } from '../pages/consent-page.ts'
import type { Store } from '../store/store.ts'
import type { SigningAlgorithm } from '../tokens/signing-key.ts'
import type { Branding } from './branding.ts'
import type { HostClientAuthentication } from './client-authentication.ts'
import type { HostGrant } from './grants.ts'
import type { OutboundSettings } from './outbound.ts'

/** Who is calling, as the host's own session or token says. */
export interface Principal {
  /** A string, stable and never reassigned: it becomes `sub`. At most 255 characters. */
  readonly userId: string
  /** The organisation the user acts in, as a string. A host without organisations returns one constant for everyone. */
  readonly orgId: string
  /** May manage the organisation's OAuth apps. */
  readonly isAdmin: boolean
  /** How to name the user on the consent page. Default: the page does not name anyone. */
  readonly displayName?: string | undefined
  /** The host's login session. When given, a consent screen can only be answered from the session that opened it. */
  readonly sessionId?: string | undefined
  /** When the user proved who they are, in milliseconds since 1970. Without it no client can ask for `max_age`. */
  readonly authTime?: EpochMs | undefined
}

export interface ScopeDefinition {
  /** What an app may do with it, in words for the person who is asked. */
  readonly description: string
  /** Groups scopes on the consent page and in app settings. */
  readonly category?: string | undefined
  /** The description in other languages, by tag: `{ de: 'Ihre Daten lesen' }`. */
  readonly translations?: Readonly<Record<string, string>> | undefined
  /** Only ever on behalf of a user: refused to `client_credentials`. Always so for the OpenID Connect scopes. */
  readonly userOnly?: boolean | undefined
  /** The claims it allows, at userinfo and by name. Default: the standard ones of `profile`, `email`, `address` and `phone`. */
  readonly claims?: readonly string[] | undefined
}

/** What a client may know of a user: the claims it asked for, as far as its scopes allow. */
export interface ClaimsRequest {
  readonly clientId: string
  readonly scopes: readonly string[]
  /** The names of the claims wanted; what else is returned is left out. */
  readonly names: readonly string[]
}

export type RenderedPage = string | { readonly html: string; readonly contentSecurityPolicy?: string | undefined }

export interface AuthmountOptions<Native = unknown> {
  // Required: nothing here has a safe default.
  /**
   * Issuer identifier (RFC 8414 §2): `https`, or `http` on a loopback host; no query, fragment or trailing slash.
   * Its origin is the origin of every advertised URL, whatever a request's Host header says.
   */
  readonly issuer: string
  readonly store: Store
  /**
   * The signed-in user, or null. `request.native` is the framework's own request.
   * Rejecting is answered 500: an error is never taken for "signed out".
   */
  readonly authenticate: (request: HttpRequest<Native>) => Promise<Principal | null | undefined> | Principal | null | undefined
  /** Every scope this server can grant. */
  readonly scopes: Readonly<Record<string, ScopeDefinition>>

  // OpenID Connect: on when either kind of key is given.
  /**
   * 32 random bytes each: they seal what is secret in the store, the signing keys that authmount manages among it.
   * The first seals, all open: to change it, add a new one behind the old in every process, then put it first and keep the old.
   * Never store them beside the data.
   */
  readonly sealingKeys?: readonly Uint8Array[] | undefined
  /** Private JWKs, if you keep the signing keys yourself: the first signs, all are published. Default: a ring kept in the store. */
  readonly signingKeys?: readonly JWK[] | undefined
  /** What the managed keys sign with. Default `RS256`, which every client knows; `ES256` and `EdDSA` are quicker. */
  readonly signingAlg?: SigningAlgorithm | undefined
  readonly keyRotation?: {
    /** How old a managed key becomes. 1–3650 days; default 90. */
    readonly everyDays?: number | undefined
    /** How long a new key is published before it signs. 60–86,400 seconds; default 1200. */
    readonly publishSeconds?: number | undefined
  }
  /** What you tell clients of a user (OpenID Connect Core §5.1), `sub` aside; null: the user is no more. Default: nothing. */
  readonly claims?:
    | ((userId: string, request: ClaimsRequest) => Promise<JsonObject | null | undefined> | JsonObject | null | undefined)
    | undefined

  // Access tokens.
  /**
   * `opaque` tokens mean something to this server alone, and end at once wherever they are checked. `jwt` (RFC 9068) can also be
   * checked by servers that do not ask here, which then hear nothing of a revocation; they need keys. Default `opaque`.
   */
  readonly accessTokenFormat?: 'opaque' | 'jwt' | undefined
  /**
   * Apps that are servers of their own: by `client_id`, the `resources` whose tokens they may ask about (RFC 7662).
   * Every other app hears of its own tokens only.
   */
  readonly resourceServers?: Readonly<Record<string, readonly string[]>> | undefined

  // Your own ways in.
  /**
   * Grants of your own at the token endpoint (RFC 6749 §4.5), or classes written for @node-oauth/oauth2-server. No app has one
   * unless it is registered for it. Default: none.
   */
  readonly grants?: readonly HostGrant[] | undefined
  /** Ways of your own in which apps prove who they are (RFC 6749 §2.3.2). Default: none. */
  readonly clientAuthentication?: readonly HostClientAuthentication[] | undefined

  // The other direction: this server as a client of outside providers.
  /** Outside accounts of your users. Needs `sealingKeys`. Default: none. */
  readonly connectors?: ConnectorOptions | undefined
  /** The providers of POST /userAccount/oauth/exchange, by name; null: there is none. Default: the route is not served. */
  readonly signInProvider?:
    | ((name: string) => Promise<SignInProvider | null | undefined> | SignInProvider | null | undefined)
    | undefined
  /** Let providers be on this machine, without https: for tests and development. Default false. */
  readonly allowLoopbackProviders?: boolean | undefined
  /** How requests to providers leave this server: through a proxy, and to which hosts of a private network. Default: as the usual variables say; to none. */
  readonly outbound?: OutboundSettings | undefined

  // Optional.
  /** Path under which the documented routes live, e.g. `/api/v1`. Default: none. */
  readonly mountPath?: string | undefined
  /** Where a browser that is not signed in goes. The authorize path is appended as `returnTo`. Default `/login`. */
  readonly loginUrl?: string | undefined
  /**
   * Where a user is asked whether to sign out, when an app wants that (OpenID Connect RP-Initiated Logout). It ends the session
   * and sends the browser to `returnTo`. Needs keys. Default: apps cannot ask.
   */
  readonly logoutUrl?: string | undefined
  /** How the pages that authmount itself shows look. */
  readonly branding?: Branding | undefined
  /**
   * Draws the consent page instead: its form posts `consent_id` and `consent` to `action`. A Content-Security-Policy without
   * `form-action`, `frame-ancestors` and `base-uri`, which are added, may come with it. Default: the built-in page.
   */
  readonly renderConsent?: ((view: ConsentView) => RenderedPage | Promise<RenderedPage>) | undefined
  /** Whether you know who is behind an app: the consent page says so. Default: it says nothing of it. */
  readonly isVerified?: ((clientId: string) => boolean | Promise<boolean>) | undefined
  /** The host's own consent page, where it is a URL of yours; it receives the request's parameters and `consent_id`. Default: the built-in page. */
  readonly consentUrl?: string | undefined
  /**
   * Your APIs as clients name them (RFC 8707, RFC 9728): absolute URIs without query or fragment, such as
   * `https://example.com/mcp`. A 401 names the metadata of the first, unless its route says which. Default: the issuer's origin.
   */
  readonly resources?: readonly string[] | undefined
  /** Accept authorization requests without `state` or `scope`; a missing scope means all of the app's. Default false. */
  readonly lenientAuthorize?: boolean | undefined
  /** Accept the PKCE method `plain` (RFC 7636 §4.2), which protects less than S256. Default false. */
  readonly allowPlainPkce?: boolean | undefined
  /** Let the port of an `http://localhost` redirect URI differ, as it may for 127.0.0.1 and [::1] (RFC 8252 §7.3). Default false. */
  readonly loopbackLocalhost?: boolean | undefined
  readonly lifetimes?: {
    /** Authorization codes. 1–600 seconds; default 60. */
    readonly codeSeconds?: number | undefined
    /** How long a consent screen may stay unanswered. 30–3600 seconds; default 600. */
    readonly consentSeconds?: number | undefined
    /** ID tokens. 60–86,400 seconds; default 3600. */
    readonly idTokenSeconds?: number | undefined
  }
  /** Within this long of a rotation, the old refresh token answers with the same successor. 0–60 seconds; 0: any reuse revokes. Default 10. */
  readonly rotationGraceSeconds?: number | undefined
  /** How long a request waits for the store, in all, before it is answered 503. 10–60,000 milliseconds; default 2000. */
  readonly storeTimeoutMs?: number | undefined
  /** How long a request waits for any function of yours, `authenticate` above all, before it is answered 500. 10–60,000 milliseconds; default 5000. */
  readonly hookTimeoutMs?: number | undefined
  /**
   * Makes the limiter of changes to apps, so that all processes count together, as in
   * `limit => new RateLimiterRedis({ storeClient: redis, ...limit })` of rate-limiter-flexible. Default: each process for itself.
   */
  readonly rateLimiter?: ((limit: RateLimit) => RateLimiterAbstract) | undefined
  /** Receives every audit event. What it throws is logged and never fails a request. */
  readonly onEvent?: ((event: AuthmountEvent) => void) | undefined
  /** Default: the console. Never receives a token, code or secret. */
  readonly log?: Log | undefined
  /** The clock. Default `Date.now`. */
  readonly now?: (() => EpochMs) | undefined
}

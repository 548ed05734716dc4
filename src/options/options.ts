import type { JWK } from 'jose'
import type { AuthmountEvent } from '../base/events.ts'
import type { JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import type { ConnectorOptions } from '../connectors/options.ts'
import type { SignInProvider } from '../connectors/provider.ts'
import type { RateLimit, RateLimiter } from '../http/rate-limiter.ts'
import type { HttpRequest } from '../http/types.ts'
import type { ConsentView } from '../pages/consent-page.ts'
import type { Store } from '../store/store.ts'
import type { SigningAlgorithm } from '../tokens/signing-key.ts'
import type { Branding } from './branding.ts'
import type { HostClientAuthentication } from './client-authentication.ts'
import type { ClientsOptions } from './clients.ts'
import type { DeviceDescription } from './device-description.ts'
import type { DevicesOptions } from './devices.ts'
import type { DpopProofs } from './dpop.ts'
import type { HostGrant } from './grants.ts'
import type { Lifetimes } from './lifetimes.ts'
import type { OutboundSettings } from './outbound.ts'
import type { Principal } from './principal.ts'
import type { RateLimits } from './rate-limits.ts'
import type { AccessTokenClaimsHook, PolicyHook } from './rules.ts'
import type { ScopeDefinition } from './scopes.ts'
import type { KeyRotation } from './signing.ts'
import type { Step, StepsRequest } from './steps.ts'
import type { ResourceSettings } from './urls.ts'

/** The claims of a user that a client asked for, as far as its scopes allow. */
export interface ClaimsRequest {
  /** The app that asks, by its `client_id`. */
  readonly clientId: string
  /** The scopes of the token. */
  readonly scopes: readonly string[]
  /** The names of the claims wanted; what else is returned is left out. */
  readonly names: readonly string[]
}

/** A page of the host's: its HTML, perhaps with a policy. */
export type RenderedPage =
  | string
  | {
      /** A whole HTML document. */
      readonly html: string
      /** Its Content-Security-Policy. Default: inline styles and https pictures, and nothing else. */
      readonly contentSecurityPolicy?: string | undefined
    }

/**
 * Everything that `createAuthmount` takes. Four are required; for each other, undefined means its default.
 *
 * Declared here, with what each is for; `table.ts` says what each accepts. The compiler holds the two together.
 */
export interface AuthmountOptions<Native = unknown, Scope extends string = string> {
  // Required: nothing here has a safe default.
  /**
   * The issuer identifier (RFC 8414 §2), and the origin of every advertised URL, whatever a request's `Host` header says:
   * `https://…`, or `http` on a loopback host. It may have a path; no query, fragment or default port, and no trailing slash,
   * which the standards would allow. Clients compare it byte for byte, and tokens carry it: do not change it later.
   */
  readonly issuer: string
  /**
   * Where everything is kept: `redisStore`, `mongoStore`, `memoryStore` or your own.
   * @see docs/storage.md
   */
  readonly store: Store
  /**
   * The signed-in user, or null. `request.native` is the framework's own request.
   * Rejecting is answered 500: an error is never taken for "signed out".
   * @see docs/options.md#authenticate
   */
  readonly authenticate: (request: HttpRequest<Native>) => Promise<Principal | null | undefined> | Principal | null | undefined
  /**
   * Every scope this server can grant, at least one.
   * @see docs/options.md#scopes
   */
  readonly scopes: Readonly<Record<Scope, ScopeDefinition>>

  // Where things are.
  /**
   * The path under which the documented routes live, such as `/api/v1`. Still mount at the root: every advertised URL follows,
   * and `/.well-known/…` is served at the root as well. `loginUrl`, `consentUrl` and `logoutUrl` are pages of yours and stay.
   * Default: none.
   */
  readonly mountPath?: string | undefined
  /**
   * The path that a proxy in front removes from every request, such as `/app` where `https://example.com/app/oauth/token` arrives
   * as `/oauth/token`. It goes before the path of every advertised URL, redirect and form, and before `loginUrl`, `consentUrl` and
   * `logoutUrl` that are paths. Default: none is removed.
   * @see docs/operations.md#behind-a-proxy
   */
  readonly proxyPath?: string | undefined
  /**
   * Where a browser that is not signed in goes: a path or an http(s) URL without a fragment. It gets `returnTo`, and for some
   * requests hints. Default `/login`.
   * @see docs/sign-in.md#what-a-client-can-ask-of-your-login
   */
  readonly loginUrl?: string | undefined
  /**
   * A page of yours that asks the user for consent; it gets the request's parameters and `consent_id`. Default: the built-in page.
   * @see docs/pages.md#or-on-a-page-of-your-own
   */
  readonly consentUrl?: string | undefined
  /**
   * A page of yours that asks the user whether to sign out, when an app wants that (OpenID Connect RP-Initiated Logout). It ends
   * the session and sends the browser to `returnTo`. Needs keys. Default: apps cannot ask.
   * @see docs/sign-in.md#signing-out
   */
  readonly logoutUrl?: string | undefined

  // Between login and consent.
  /**
   * The steps that this request needs between the login and the consent, in order: pages of yours, such as a second factor, terms
   * or the choice of an organisation. Those that were passed are skipped, and your server says so with `passStep`. Called again
   * when a step was passed. An empty list, null or undefined: none. Default: none.
   * @see docs/sign-in.md#steps
   */
  readonly steps?:
    | ((request: StepsRequest) => Promise<readonly Step[] | null | undefined> | readonly Step[] | null | undefined)
    | undefined
  /**
   * The authentication contexts that your login or your steps can reach, for the metadata (`acr_values_supported`). Without
   * `steps`, a user whose `acr` is none of those that a client asks for goes through the login once, if one is listed here.
   * Default: none is listed.
   * @see docs/sign-in.md#how-somebody-signed-in
   */
  readonly acrValues?: readonly string[] | undefined

  // Looks.
  /** How the pages that authmount itself shows look. */
  readonly branding?: Branding | undefined
  /**
   * Draws the consent page instead: its form posts `consent_id` and `consent` to `action`. A Content-Security-Policy may come
   * with it; its `frame-ancestors` and `base-uri` are replaced, and `form-action` is taken out: Chromium holds that against every
   * redirect that follows the form. Default: the built-in page.
   * @see docs/pages.md#draw-the-consent-page-yourself
   */
  readonly renderConsent?: ((view: ConsentView) => RenderedPage | Promise<RenderedPage>) | undefined
  /**
   * Returns what to keep of the device from which a user lets an app in, or null: the page of connected apps shows it to that user, so
   * that they recognise what they may end. `request` is that of their browser, never one of the app's; for a device that signs in by a code it is not called. It is personal data: keep what
   * helps, such as `request => ({ name: browserOf(request.headers['user-agent']) })`. Default: nothing but the time is kept.
   * @see docs/sign-in.md#active-devices
   */
  readonly describeDevice?:
    | ((request: HttpRequest<Native>) => Promise<DeviceDescription | null | undefined> | DeviceDescription | null | undefined)
    | undefined
  /** Whether you know who is behind an app: the consent page says so, and warns of the others. Default: the page says nothing. */
  readonly isVerified?: ((clientId: string) => boolean | Promise<boolean>) | undefined

  // OpenID Connect: on when either kind of key is given.
  /**
   * They seal what is secret in the store: the signing keys that authmount manages, and what providers issue. The first seals,
   * all open: to change it, add a new one behind the old in every process, then put it first and keep the old. Never store them
   * beside the data. `node -e "console.log(crypto.randomBytes(32).toString('base64url'))"` makes one.
   * 32 random bytes each; default: none.
   * @see docs/operations.md#sealing-keys
   */
  readonly sealingKeys?: readonly Uint8Array[] | undefined
  /**
   * Private JWKs, if you keep the signing keys yourself: the first signs, and for apps that ask for another algorithm the first
   * key of that one; all are published. An RSA key with `alg: 'PS256'` is for PS256. With `sealingKeys` as well, these sign. RSA of
   * 2048 bits or more, P-256, Ed25519; default: a ring kept in the store.
   */
  readonly signingKeys?: readonly JWK[] | undefined
  /**
   * The algorithm of managed keys: `RS256`, which every client knows, `PS256`, or `ES256` or `EdDSA`, which cost much less. Apps that
   * ask for RS256 have it whatever this is. Default `RS256`.
   */
  readonly signingAlg?: SigningAlgorithm | undefined
  /** How often managed keys are replaced. */
  readonly keyRotation?: KeyRotation | undefined
  /**
   * Returns the claims of a user (OpenID Connect Core §5.1), without `sub`. `names` are those that are wanted; any other that you
   * return is left out. null or undefined: the user no longer exists, and neither do their tokens. Called whenever a user's token is issued or
   * refreshed, with or without `names`, and by userinfo. Default: nothing.
   * @see docs/sign-in.md#id-tokens-and-userinfo
   */
  readonly claims?:
    | ((userId: string, request: ClaimsRequest) => Promise<JsonObject | null | undefined> | JsonObject | null | undefined)
    | undefined
  /**
   * Put the claims of the granted scopes into ID tokens as well as into userinfo (OpenID Connect Core §5.4), for clients that read
   * a user's name and email there, such as Auth.js, express-openid-connect and authlib. Default `false`.
   */
  readonly claimsInIdToken?: boolean | undefined

  // Access tokens and APIs.
  /**
   * The scopes of a request that names none (RFC 6749 §3.3), as far as the app may have them. Default: all of the app's.
   */
  readonly defaultScopes?: readonly string[] | undefined
  /**
   * `opaque` tokens mean something to this server alone, and end at once wherever they are checked. `jwt` (RFC 9068) can also be
   * checked by servers that do not ask here, which then hear nothing of a revocation; they need keys. Both kinds are accepted
   * while you change from one to the other. Default `opaque`.
   * @see docs/protect-routes.md#opaque-tokens-or-jwts
   */
  readonly accessTokenFormat?: 'opaque' | 'jwt' | undefined
  /**
   * Tokens that are bound to a key of the client's, and of no use to a thief (DPoP, RFC 9449). `optional`: a client that proves a key
   * gets them. `required`: a token request without a proof is refused, and a 401 asks for one. `off`: proofs are ignored.
   * Default `optional`.
   * @see docs/bound-tokens.md
   */
  readonly dpop?: 'off' | 'optional' | 'required' | undefined
  /** How those proofs are checked. */
  readonly dpopProofs?: DpopProofs | undefined
  /**
   * Adds claims of yours, such as roles or a plan, to an access token: to a JWT (RFC 9068 §2.2), to introspection, to
   * `request.oauth.claims` and to what `authmount/verify` tells. At most 2 KiB as JSON, and no name that means something already.
   * Called for every new token, of apps that act for themselves too, and again at each refresh. null: there is to be no token; a
   * refresh then ends the grant. Default: no claims.
   * @see docs/rules.md#claims-in-access-tokens
   */
  readonly accessTokenClaims?: AccessTokenClaimsHook | undefined
  /**
   * Allows or denies what apps ask for, takes scopes away, or shortens what tokens live: when a user is sent by an app, when tokens
   * are issued, and when they are refreshed. A denial at a refresh ends the grant. Default: everything is allowed.
   * @see docs/rules.md#policy
   */
  readonly policy?: PolicyHook | undefined
  /**
   * Ask `policy` each time an access token is presented to this server, as well: one call for each request of each app. Default `false`.
   * @see docs/rules.md#at-every-use
   */
  readonly policyAtUse?: boolean | undefined
  /**
   * Your APIs as clients name them (RFC 8707, RFC 9728): absolute http(s) URIs without query or fragment, such as
   * `https://example.com/mcp`. RFC 8707 allows other schemes, such as `urn:`, and a query: these are refused. A 401 names the metadata of the first, unless its route says which. An object in place of the list says how tokens for each are, by its URI: `{ 'https://example.com/mcp': { accessTokenFormat: 'jwt' } }`. Default: the issuer's origin.
   * @see docs/rules.md#each-resource-its-own-tokens
   */
  readonly resources?: readonly string[] | Readonly<Record<string, ResourceSettings>> | undefined
  /**
   * Apps that are APIs of their own. Each `client_id` here may introspect tokens for the `resources` named beside it (RFC 7662);
   * every other app may introspect its own tokens only. Default: none.
   * @see docs/protect-routes.md#another-service
   */
  readonly resourceServers?: Readonly<Record<string, readonly string[]>> | undefined

  // What clients may do: the defaults are the strict ones.
  /**
   * A profile that the whole server keeps: it sets what the profile demands, and refuses every other option, app and registration
   * that contradicts it, by name. `oauth2.1`: PKCE of every app, S256 alone. `fapi2`, the FAPI 2.0 Security Profile: also pushed
   * requests and bound tokens alone, no apps without keys, strong algorithms, https redirects, refresh tokens that do not rotate. Default: none.
   * @see docs/security.md#profiles
   */
  readonly profile?: 'oauth2.1' | 'fapi2' | undefined
  /** Accept the PKCE method `plain` (RFC 7636 §4.2), for clients that cannot compute SHA-256. It protects less. Default false. */
  readonly allowPlainPkce?: boolean | undefined
  /**
   * Let the port of an `http://localhost` redirect URI differ, for command-line clients that listen on a random one. For
   * 127.0.0.1 and [::1] it always may (RFC 8252 §7.3). Default false.
   */
  readonly loopbackLocalhost?: boolean | undefined
  /**
   * Private schemes of redirect URIs beside those in reverse-domain form, such as `cursor` and `vscode` for the editors
   * (RFC 8252 §7.1). Any program on a user's device can claim one: only PKCE protects the code. Default: none.
   */
  readonly redirectSchemes?: readonly string[] | undefined
  /**
   * Accept an authorization request only if its app pushed it before (RFC 9126): then nobody on the way through the browser can read or
   * change it. An app can demand it for itself alone. Default false.
   * @see docs/clients.md#pushed-requests
   */
  readonly requirePushedAuthorizationRequests?: boolean | undefined
  /**
   * Let the issuer be http on a host that is not this machine, such as a container's name: everyone on that network can read
   * codes and tokens. For development. Default false.
   */
  readonly allowInsecureIssuer?: boolean | undefined

  /**
   * Clients that come by themselves, such as agents and editors that know nothing of this server but its URL. Default: none may.
   * @see docs/agents.md
   */
  readonly clients?: ClientsOptions | undefined

  /**
   * Terminals and devices without a browser, which sign users in by a short code that they type elsewhere (RFC 8628). `{}` switches
   * it on; an app needs the grant `urn:ietf:params:oauth:grant-type:device_code`. Default: none may.
   * @see docs/devices.md
   */
  readonly devices?: DevicesOptions | undefined

  // Your own ways in.
  /**
   * Grants of your own at the token endpoint (RFC 6749 §4.5), or classes written for `@node-oauth/oauth2-server`. No app has one
   * unless it is registered for it. Default: none.
   */
  readonly grants?: readonly HostGrant[] | undefined
  /** Ways of your own in which apps prove who they are (RFC 6749 §2.3.2). Default: none. */
  readonly clientAuthentication?: readonly HostClientAuthentication[] | undefined

  // Times.
  /** How long things live whose lifetime is not an app's own. */
  readonly lifetimes?: Lifetimes | undefined
  /**
   * Within this long of a refresh, the same refresh token gets the same answer again: two tabs, or a lost reply. 0: any reuse ends
   * the grant. Otherwise at least a second more than `storeTimeoutMs`, because a refresh that was answered 503 may have happened.
   * 0–60 seconds; default 10.
   */
  readonly rotationGraceSeconds?: number | undefined
  /** How long a request waits for the store, in all, before it is answered 503. 10–60,000 milliseconds; default 2000. */
  readonly storeTimeoutMs?: number | undefined
  /**
   * How long a request waits for each function of yours (`authenticate`, `claims`, `accessTokenClaims`, `policy`, `steps`,
   * `describeDevice`, `renderConsent`, `isVerified`, `signInProvider`, `connectors.provider`, `prove` of a client authentication, a grant with its `owner` and `legacyClient`)
   * before it is answered 500. 10–60,000 milliseconds; default 5000.
   */
  readonly hookTimeoutMs?: number | undefined

  // The other direction: this server as a client of outside providers.
  /** Outside accounts of your users. Needs `sealingKeys`. Default: none. */
  readonly connectors?: ConnectorOptions | undefined
  /**
   * The providers of POST /userAccount/oauth/exchange, by name; null: there is none. Default: the route is not served.
   * @see docs/connectors.md#sign-in-with-a-provider
   */
  readonly signInProvider?:
    | ((name: string) => Promise<SignInProvider | null | undefined> | SignInProvider | null | undefined)
    | undefined
  /** Let providers and back-channel logout URIs be on this machine, without https: for tests and development, never in production. Default false. */
  readonly allowLoopbackProviders?: boolean | undefined
  /**
   * How requests to providers leave this server: through a proxy, and to which hosts of a private network. Default: through the
   * proxy that the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name, and to no private host.
   * @see docs/connectors.md#behind-a-proxy
   */
  readonly outbound?: OutboundSettings | undefined

  // Running it.
  /**
   * How often callers may do what costs a record, a call to a provider, or a guess. Each limit is on, and `false` switches it off.
   * A request above it is answered 429 with `Retry-After`.
   * @see docs/operations.md#rate-limits
   */
  readonly rateLimits?: RateLimits | undefined
  /**
   * Makes the limiter for a rate limit, so that all processes count together, as in
   * `limit => new RateLimiterRedis({ storeClient: redis, ...limit })` of rate-limiter-flexible. Called once for each limit, at the
   * start. When its database fails, each process counts for itself, and the event `rate_limiter_unavailable` says so.
   * Default: each process counts for itself.
   * @see docs/operations.md#rate-limits
   */
  readonly rateLimiter?: ((limit: RateLimit) => RateLimiter) | undefined
  /**
   * Receives every audit event. What it throws is logged and never fails a request. Default: nobody.
   * @see docs/operations.md#events
   */
  readonly onEvent?: ((event: AuthmountEvent) => void) | undefined
  /** Your own logger. It never receives a token, code or secret. Default: the console. */
  readonly log?: Log | undefined
  /** The clock, in milliseconds since 1970: for tests. Default: `Date.now`. */
  readonly now?: (() => EpochMs) | undefined
}

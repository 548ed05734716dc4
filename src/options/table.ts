import { isAuthenticationName } from '../base/authentication-names.ts'
import type { ConnectorOptions } from '../connectors/options.ts'
import type { RateLimit, RateLimiter } from '../http/rate-limiter.ts'
import { SIGNING_ALGORITHMS } from '../tokens/signing-key.ts'
import { BRANDING, type Branding } from './branding.ts'
import { clientAuthentication } from './client-authentication.ts'
import type { ClientsOptions } from './clients.ts'
import { CLIENTS } from './clients.ts'
import { CONNECTORS } from './connectors.ts'
import { DEVICES, type DevicesOptions } from './devices.ts'
import { DPOP_PROOFS, type DpopProofs } from './dpop.ts'
import { grants } from './grants.ts'
import { flag, hook, type Kind, list, number, oneOf, text } from './kinds.ts'
import { LIFETIMES, type Lifetimes } from './lifetimes.ts'
import { consoleLog, log } from './log.ts'
import type { AuthmountOptions } from './options.ts'
import { OUTBOUND, type OutboundSettings } from './outbound.ts'
import { quote } from './place.ts'
import { RATE_LIMITS, type RateLimits } from './rate-limits.ts'
import { group, members, optional, required, type Table, type ValuesOf } from './rows.ts'
import { catalogue, isGuarded } from './scopes.ts'
import { KEY_ROTATION, type KeyRotation, sealingKeys, signingKeys } from './signing.ts'
import { store } from './store.ts'
import { insecureIssuer, issuer, mountPath, pageUrl, privateScheme, resourceServers, resources, strayResource } from './urls.ts'

const NO_NAMES: readonly string[] = []

type Options = Required<AuthmountOptions<never>>
/** The function type of an option. */
type HookOf<Name extends keyof Options> = NonNullable<Options[Name]>

/**
 * Every option: what it accepts, and what it is by default (null: there is none). Defaults, checks, the names that are known, the
 * type of `Config` and the tables of `docs/options.md` follow from a row here and from the member of `AuthmountOptions` that it is
 * held against.
 */
export const OPTIONS = {
  issuer: required(issuer),
  store: required(store),
  authenticate: required(hook<HookOf<'authenticate'>>()),
  scopes: required(catalogue),

  mountPath: optional(mountPath, ''),
  proxyPath: optional(mountPath, ''),
  loginUrl: optional(pageUrl, '/login'),
  consentUrl: optional(pageUrl, null),
  logoutUrl: optional(pageUrl, null),

  steps: optional(hook<HookOf<'steps'>>(), null),
  acrValues: optional(
    list(
      text('1 to 255 printable characters, without spaces, quotes and backslashes', isAuthenticationName),
      "['urn:example:mfa']",
    ),
    NO_NAMES,
  ),

  branding: group<Branding, typeof BRANDING>(BRANDING),
  renderConsent: optional(hook<HookOf<'renderConsent'>>(), null),
  describeDevice: optional(hook<HookOf<'describeDevice'>>(), null),
  isVerified: optional(hook<HookOf<'isVerified'>>(), null),

  sealingKeys: optional(sealingKeys, null),
  signingKeys: optional(signingKeys, null),
  signingAlg: optional(oneOf(SIGNING_ALGORITHMS), 'RS256'),
  keyRotation: group<KeyRotation, typeof KEY_ROTATION>(KEY_ROTATION),
  claims: optional(hook<HookOf<'claims'>>(), null),
  claimsInIdToken: optional(flag, false),

  defaultScopes: optional(
    list(
      text('the name of a scope', value => value !== ''),
      "['read:orders']",
    ),
    null,
  ),
  accessTokenFormat: optional(oneOf(['opaque', 'jwt']), 'opaque'),
  dpop: optional(oneOf(['off', 'optional', 'required']), 'optional'),
  dpopProofs: group<DpopProofs, typeof DPOP_PROOFS>(DPOP_PROOFS),
  accessTokenClaims: optional(hook<HookOf<'accessTokenClaims'>>(), null),
  policy: optional(hook<HookOf<'policy'>>(), null),
  policyAtUse: optional(flag, false),
  resources: optional(resources, null),
  resourceServers: optional(resourceServers, new Map<string, readonly string[]>()),

  profile: optional(oneOf(['oauth2.1', 'fapi2']), null),
  allowPlainPkce: optional(flag, false),
  loopbackLocalhost: optional(flag, false),
  redirectSchemes: optional(list(privateScheme, "['cursor']"), []),
  requirePushedAuthorizationRequests: optional(flag, false),
  allowInsecureIssuer: optional(flag, false),

  clients: optional(members<ClientsOptions, typeof CLIENTS>(CLIENTS), null),
  devices: optional(members<DevicesOptions, typeof DEVICES>(DEVICES), null),

  grants: optional(grants, []),
  clientAuthentication: optional(clientAuthentication, []),

  lifetimes: group<Lifetimes, typeof LIFETIMES>(LIFETIMES),
  rotationGraceSeconds: optional(number([0, 60], 'seconds'), 10),
  storeTimeoutMs: optional(number([10, 60_000], 'milliseconds'), 2000),
  hookTimeoutMs: optional(number([10, 60_000], 'milliseconds'), 5000),

  connectors: optional(members<ConnectorOptions, typeof CONNECTORS>(CONNECTORS), null),
  signInProvider: optional(hook<HookOf<'signInProvider'>>(), null),
  allowLoopbackProviders: optional(flag, false),
  outbound: group<OutboundSettings, typeof OUTBOUND>(OUTBOUND),

  rateLimits: group<RateLimits, typeof RATE_LIMITS>(RATE_LIMITS),
  rateLimiter: optional(hook<(limit: RateLimit) => RateLimiter>(), null),
  onEvent: optional(hook<HookOf<'onEvent'>>(), null),
  log: optional(log, consoleLog),
  now: optional(clock(), Date.now),
} satisfies Table<AuthmountOptions<never>>

export type OptionValues = ValuesOf<typeof OPTIONS>

/** Rules between options. A rule is checked only if each option that it names is valid by itself. */
export const RELATIONS: readonly Relation[] = [
  relation(['scopes', 'sealingKeys', 'signingKeys'], ({ scopes, ...keys }) =>
    scopes.has('openid') && !hasKeys(keys) ? 'scopes: "openid" needs sealingKeys, or signingKeys' : null,
  ),
  relation(['defaultScopes', 'scopes', 'sealingKeys', 'signingKeys'], ({ defaultScopes, scopes, ...keys }) => {
    const stray = defaultScopes?.find(name => !scopes.has(name) && !(name === 'openid' && hasKeys(keys)))
    return stray === undefined ? null : `defaultScopes has ${quote(stray)}, which is not among the scopes`
  }),
  relation(['clients', 'scopes', 'sealingKeys', 'signingKeys'], ({ clients, scopes, ...keys }) => {
    const stray = clients?.scopes?.find(name => !scopes.has(name) && !(name === 'openid' && hasKeys(keys)))
    if (stray !== undefined) return `clients.scopes has ${quote(stray)}, which is not among the scopes`
    const guarded = clients?.scopes?.find(name => isGuarded(name, scopes))
    return guarded === undefined
      ? null
      : `clients.scopes has ${quote(guarded)}: a sensitive scope, or one of a connector, is not for clients that nobody registered`
  }),
  relation(['accessTokenFormat', 'sealingKeys', 'signingKeys'], ({ accessTokenFormat, ...keys }) =>
    accessTokenFormat === 'jwt' && !hasKeys(keys) ? 'accessTokenFormat jwt needs sealingKeys, or signingKeys' : null,
  ),
  relation(['resources', 'sealingKeys', 'signingKeys'], ({ resources, ...keys }) => {
    const [jwt] = [...(resources?.settings ?? [])].find(([, { accessTokenFormat }]) => accessTokenFormat === 'jwt') ?? []
    return jwt === undefined || hasKeys(keys)
      ? null
      : `resources[${quote(jwt)}] wants jwt, which needs sealingKeys, or signingKeys`
  }),
  relation(['policy', 'policyAtUse'], ({ policy, policyAtUse }) =>
    policyAtUse && policy === null ? 'policyAtUse needs a policy' : null,
  ),
  relation(['logoutUrl', 'sealingKeys', 'signingKeys'], ({ logoutUrl, ...keys }) =>
    logoutUrl !== null && !hasKeys(keys) ? 'logoutUrl needs sealingKeys, or signingKeys' : null,
  ),
  relation(['connectors', 'sealingKeys'], ({ connectors, sealingKeys }) =>
    connectors && !sealingKeys ? 'connectors need sealingKeys, which seal what providers issue' : null,
  ),
  // A refresh that was answered 503 may have happened: its retry must still be within the grace period.
  relation(['rotationGraceSeconds', 'storeTimeoutMs'], ({ rotationGraceSeconds, storeTimeoutMs }) =>
    rotationGraceSeconds > 0 && rotationGraceSeconds * 1000 < storeTimeoutMs + 1000
      ? 'rotationGraceSeconds must be 0, or at least a second longer than storeTimeoutMs'
      : null,
  ),
  relation(['mountPath', 'proxyPath'], ({ mountPath, proxyPath }) =>
    proxyPath !== '' && `${mountPath}/`.startsWith(`${proxyPath}/`)
      ? `mountPath must be the path that arrives here, without ${quote(proxyPath)}, which proxyPath says a proxy removes; if none does, leave proxyPath out`
      : null,
  ),
  relation(['issuer', 'allowInsecureIssuer'], ({ allowInsecureIssuer, issuer }) =>
    allowInsecureIssuer ? null : insecureIssuer(issuer),
  ),
  relation(['issuer', 'resources', 'resourceServers'], ({ issuer, resourceServers, resources }) =>
    strayResource(resourceServers, resources?.names ?? [new URL(issuer).origin]),
  ),
]

/** The problem between a few options; null where there is none, or where one of them cannot be used anyway. */
type Relation = (values: Partial<OptionValues>) => string | null

function relation<Name extends keyof OptionValues>(
  names: readonly Name[],
  problem: (values: Pick<OptionValues, Name>) => string | null,
): Relation {
  return values => (names.every(name => values[name] !== undefined) ? problem(values as Pick<OptionValues, Name>) : null)
}

function hasKeys({ sealingKeys, signingKeys }: Pick<OptionValues, 'sealingKeys' | 'signingKeys'>): boolean {
  return sealingKeys !== null || signingKeys !== null
}

/** A clock may be finer than what is stored of it. It is read once here: by one that tells no number, nothing would expire. */
function clock(): Kind<HookOf<'now'>> {
  const given = hook<HookOf<'now'>>()
  return {
    read(value, place) {
      const now = given.read(value, place)
      if (!now || now === Date.now) return now
      const first: unknown = now()
      if (Number.isFinite(first)) return () => Math.floor(now())
      // An async clock may reject, and nobody listens.
      Promise.resolve(first).catch(() => {})
      return place.refuse(`must return milliseconds since 1970, not ${quote(first)}`)
    },
  }
}

import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import { OptionsError } from '../errors/options-error.ts'
import type { Store } from '../store/store.ts'
import type { SigningSettings } from '../tokens/keys.ts'
import { type Branding, brandingProblems } from './branding.ts'
import { nameUnknown, quote, within } from './checks.ts'
import { checkClientAuthentication, type HostClientAuthentication } from './client-authentication.ts'
import { type Connectors, readConnectors } from './connectors.ts'
import { checkGrants, type HostGrant } from './grants.ts'
import type { AuthmountOptions } from './options.ts'
import { type OutboundConfig, readOutbound } from './outbound.ts'
import { readCatalogue, type Scope } from './scopes.ts'
import { readSigning } from './signing.ts'
import { readIssuer, readPageUrl, readResourceServers, readResources } from './urls.ts'

/** The host's options, checked once, with every default filled in. */
export interface Config<Native = unknown> {
  /** The host's own grants, checked. */
  readonly grants: readonly HostGrant[]
  /** The host's own ways of client authentication, checked. */
  readonly clientAuthentication: readonly HostClientAuthentication[]
  readonly issuer: string
  readonly origin: string
  readonly mountPath: string
  readonly store: Store
  readonly authenticate: AuthmountOptions<Native>['authenticate']
  readonly scopes: ReadonlyMap<string, Scope>
  readonly loginUrl: string
  readonly consentUrl: string | null
  /** null: apps cannot ask for a logout. */
  readonly logoutUrl: string | null
  readonly accessTokenFormat: 'opaque' | 'jwt'
  readonly resourceServers: ReadonlyMap<string, readonly string[]>
  readonly resources: readonly [string, ...string[]]
  readonly lenientAuthorize: boolean
  readonly allowPlainPkce: boolean
  readonly loopbackLocalhost: boolean
  readonly codeSeconds: number
  readonly consentSeconds: number
  readonly idTokenSeconds: number
  /** Who signs; null: there is no OpenID Connect. */
  readonly signing: SigningSettings | null
  readonly branding: Branding
  readonly renderConsent: AuthmountOptions['renderConsent'] | undefined
  readonly isVerified: AuthmountOptions['isVerified'] | undefined
  readonly claims: AuthmountOptions['claims'] | undefined
  /** Outside accounts; null: there are none. */
  readonly connectors: Connectors | null
  readonly signInProvider: AuthmountOptions['signInProvider'] | null
  readonly allowLoopbackProviders: boolean
  readonly outbound: OutboundConfig
  readonly rotationGraceSeconds: number
  readonly storeTimeoutMs: number
  readonly hookTimeoutMs: number
  readonly rateLimiter: AuthmountOptions['rateLimiter'] | undefined
  readonly log: Log
  readonly now: () => EpochMs
}

/** Fills in defaults. Throws one OptionsError that lists every problem. */
export function readConfig<Native>(options: AuthmountOptions<Native>): Config<Native> {
  const problems: string[] = []
  nameUnknown('', options, KNOWN, problems)
  nameUnknown('lifetimes.', options.lifetimes ?? {}, KNOWN_LIFETIMES, problems)
  const issuer = readIssuer(options.issuer, problems)
  const mountPath = options.mountPath ?? ''

  if (!/^(\/[\w.~-]+)*$/.test(mountPath)) problems.push(`mountPath must look like /api/v1: ${quote(mountPath)} does not`)
  if (!isStore(options.store)) problems.push('store must implement the Store interface: try memoryStore()')
  if (typeof options.authenticate !== 'function')
    problems.push('authenticate must be a function that returns the signed-in user, or null')

  for (const name of ['lenientAuthorize', 'allowPlainPkce', 'loopbackLocalhost', 'allowLoopbackProviders'] as const) {
    if (!['boolean', 'undefined'].includes(typeof options[name])) problems.push(`${name} must be true or false`)
  }
  for (const name of ['claims', 'onEvent', 'now', 'rateLimiter', 'signInProvider', 'renderConsent', 'isVerified'] as const) {
    if (!['function', 'undefined'].includes(typeof options[name])) problems.push(`${name} must be a function`)
  }
  if (options.log && (typeof options.log.error !== 'function' || typeof options.log.warn !== 'function')) {
    problems.push('log must have the functions error and warn')
  }
  const graceMs = (options.rotationGraceSeconds ?? 10) * 1000
  const storeTimeoutMs = options.storeTimeoutMs ?? 2000
  // A refresh that was answered 503 may have happened: whoever repeats it must still be inside the grace.
  if (graceMs > 0 && graceMs < storeTimeoutMs + 1000) {
    problems.push('rotationGraceSeconds must be 0, or at least a second longer than storeTimeoutMs')
  }

  const log = safeLog(options.log ?? CONSOLE)
  const idTokenSeconds = within('lifetimes.idTokenSeconds', options.lifetimes?.idTokenSeconds ?? 3600, [60, 86_400], problems)
  const signing = readSigning(options, idTokenSeconds, problems)
  nameUnknown('branding.', options.branding ?? {}, ['name', 'logoUrl', 'accentColor', 'css'], problems)
  problems.push(...brandingProblems(options.branding ?? {}))
  const now = wholeMilliseconds(options.now ?? Date.now)
  const { accessTokenFormat = 'opaque', allowLoopbackProviders = false, consentUrl, logoutUrl } = options
  if (!['opaque', 'jwt'].includes(accessTokenFormat)) problems.push('accessTokenFormat must be opaque or jwt')
  if (accessTokenFormat === 'jwt' && !signing) problems.push('accessTokenFormat jwt needs sealingKeys, or signingKeys')
  if (logoutUrl !== undefined && !signing) problems.push('logoutUrl needs sealingKeys, or signingKeys')
  const resources = readResources(options.resources, issuer?.origin ?? '', problems)
  const config: Config<Native> = {
    grants: checkGrants(options.grants, problems),
    clientAuthentication: checkClientAuthentication(options.clientAuthentication, problems),
    issuer: options.issuer,
    origin: issuer?.origin ?? '',
    mountPath,
    store: options.store,
    authenticate: options.authenticate,
    scopes: readCatalogue(options.scopes, signing !== null, problems),
    loginUrl: readPageUrl('loginUrl', options.loginUrl ?? '/login', problems),
    consentUrl: consentUrl === undefined ? null : readPageUrl('consentUrl', consentUrl, problems),
    logoutUrl: logoutUrl === undefined ? null : readPageUrl('logoutUrl', logoutUrl, problems),
    accessTokenFormat,
    resources,
    resourceServers: readResourceServers(options.resourceServers, resources, problems),
    lenientAuthorize: options.lenientAuthorize ?? false,
    allowPlainPkce: options.allowPlainPkce ?? false,
    loopbackLocalhost: options.loopbackLocalhost ?? false,
    codeSeconds: within('lifetimes.codeSeconds', options.lifetimes?.codeSeconds ?? DEFAULT_CODE_SECONDS, [1, 600], problems),
    consentSeconds: within('lifetimes.consentSeconds', options.lifetimes?.consentSeconds ?? 600, [30, 3600], problems),
    idTokenSeconds,
    signing,
    branding: options.branding ?? {},
    renderConsent: options.renderConsent,
    isVerified: options.isVerified,
    claims: options.claims,
    connectors: readConnectors(options, problems),
    signInProvider: options.signInProvider ?? null,
    allowLoopbackProviders,
    outbound: readOutbound(options.outbound, problems),
    rotationGraceSeconds: within('rotationGraceSeconds', options.rotationGraceSeconds ?? 10, [0, 60], problems),
    storeTimeoutMs: within('storeTimeoutMs', options.storeTimeoutMs ?? 2000, [10, 60_000], problems),
    hookTimeoutMs: within('hookTimeoutMs', options.hookTimeoutMs ?? 5000, [10, 60_000], problems),
    rateLimiter: options.rateLimiter,
    log,
    now,
  }
  if (problems.length > 0) throw new OptionsError(problems)
  return Object.freeze(config)
}

const KNOWN: readonly (keyof AuthmountOptions)[] = [
  'issuer',
  'store',
  'authenticate',
  'scopes',
  'grants',
  'clientAuthentication',
  'mountPath',
  'loginUrl',
  'consentUrl',
  'logoutUrl',
  'accessTokenFormat',
  'resources',
  'resourceServers',
  'branding',
  'renderConsent',
  'isVerified',
  'connectors',
  'signInProvider',
  'allowLoopbackProviders',
  'outbound',
  'lenientAuthorize',
  'allowPlainPkce',
  'loopbackLocalhost',
  'lifetimes',
  'sealingKeys',
  'signingKeys',
  'signingAlg',
  'keyRotation',
  'claims',
  'rotationGraceSeconds',
  'storeTimeoutMs',
  'hookTimeoutMs',
  'rateLimiter',
  'onEvent',
  'log',
  'now',
]
const KNOWN_LIFETIMES: readonly string[] = ['codeSeconds', 'consentSeconds', 'idTokenSeconds']

/** Long enough for a slow redirect, short enough that a code in a log is dead (RFC 6749 §4.1.2 allows ten minutes). */
const DEFAULT_CODE_SECONDS = 60

const CONSOLE: Log = {
  error: (message, cause) => console.error(`authmount: ${message}`, ...(cause === undefined ? [] : [cause])),
  warn: message => console.warn(`authmount: ${message}`),
}

/** A clock may be finer than what is stored of it. */
function wholeMilliseconds(now: () => EpochMs): () => EpochMs {
  return now === Date.now ? now : () => Math.floor(now())
}

/** A log that fails must not fail a request, nor take the process with it. */
function safeLog(log: Log): Log {
  const safely = (write: () => void) => {
    try {
      write()
    } catch (cause) {
      process.emitWarning(`authmount could not write to its log: ${cause instanceof Error ? cause.name : typeof cause}`)
    }
  }
  return {
    error: (message, cause) => safely(() => log.error(message, cause)),
    warn: message => safely(() => log.warn(message)),
  }
}

function isStore(store: unknown): boolean {
  if (typeof store !== 'object' || store === null) return false
  return ['apps', 'oneTime', 'grants', 'consents', 'credentials', 'keys'].every(part => part in store)
}

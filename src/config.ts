import { OptionsError } from './errors/options-error.ts'
import { STANDARD_CLAIMS } from './oauth/claims.ts'
import type { AuthmountOptions, Log, ScopeDefinition } from './options.ts'
import type { EpochMs, Store } from './store.ts'
import { type KeySource, managedKeys, suppliedKeys } from './tokens/keys.ts'
import { SIGNING_ALGORITHMS, signingKey } from './tokens/signing-key.ts'

export interface Scope {
  readonly name: string
  readonly description: string
  readonly category: string
  readonly userOnly: boolean
  readonly claims: readonly string[]
}

/** The host's options, checked once, with every default filled in. */
export interface Config<Native = unknown> {
  readonly issuer: string
  readonly origin: string
  readonly mountPath: string
  readonly store: Store
  readonly authenticate: AuthmountOptions<Native>['authenticate']
  readonly scopes: ReadonlyMap<string, Scope>
  readonly loginUrl: string
  readonly consentUrl: string | null
  readonly resources: readonly [string, ...string[]]
  readonly lenientAuthorize: boolean
  readonly allowPlainPkce: boolean
  readonly loopbackLocalhost: boolean
  readonly codeSeconds: number
  readonly consentSeconds: number
  readonly idTokenSeconds: number
  /** Who signs; null: there is no OpenID Connect. */
  readonly keys: KeySource | null
  readonly claims: AuthmountOptions['claims'] | undefined
  readonly rotationGraceSeconds: number
  readonly storeTimeoutMs: number
  readonly hookTimeoutMs: number
  readonly rateLimiter: AuthmountOptions['rateLimiter'] | undefined
  readonly log: Log
  readonly now: () => EpochMs
}

/** OpenID Connect Core §5.4, §11: these speak of a user, so an app acting for itself never has them. */
const OPENID_SCOPES = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access'])

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

  for (const name of ['lenientAuthorize', 'allowPlainPkce', 'loopbackLocalhost'] as const) {
    if (!['boolean', 'undefined'].includes(typeof options[name])) problems.push(`${name} must be true or false`)
  }
  for (const name of ['claims', 'onEvent', 'now', 'rateLimiter'] as const) {
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
  const keys = readKeys(options, { idTokenSeconds, log }, problems)
  const config: Config<Native> = {
    issuer: options.issuer,
    origin: issuer?.origin ?? '',
    mountPath,
    store: options.store,
    authenticate: options.authenticate,
    scopes: readScopes(options.scopes, keys !== null, problems),
    loginUrl: readPageUrl('loginUrl', options.loginUrl ?? '/login', problems),
    consentUrl: options.consentUrl === undefined ? null : readPageUrl('consentUrl', options.consentUrl, problems),
    resources: readResources(options.resources, issuer?.origin ?? '', problems),
    lenientAuthorize: options.lenientAuthorize ?? false,
    allowPlainPkce: options.allowPlainPkce ?? false,
    loopbackLocalhost: options.loopbackLocalhost ?? false,
    codeSeconds: within('lifetimes.codeSeconds', options.lifetimes?.codeSeconds ?? DEFAULT_CODE_SECONDS, [1, 600], problems),
    consentSeconds: within('lifetimes.consentSeconds', options.lifetimes?.consentSeconds ?? 600, [30, 3600], problems),
    idTokenSeconds,
    keys,
    claims: options.claims,
    rotationGraceSeconds: within('rotationGraceSeconds', options.rotationGraceSeconds ?? 10, [0, 60], problems),
    storeTimeoutMs: within('storeTimeoutMs', options.storeTimeoutMs ?? 2000, [10, 60_000], problems),
    hookTimeoutMs: within('hookTimeoutMs', options.hookTimeoutMs ?? 5000, [10, 60_000], problems),
    rateLimiter: options.rateLimiter,
    log,
    now: wholeMilliseconds(options.now ?? Date.now),
  }
  if (problems.length > 0) throw new OptionsError(problems)
  return Object.freeze(config)
}

const KNOWN: readonly (keyof AuthmountOptions)[] = [
  'issuer',
  'store',
  'authenticate',
  'scopes',
  'mountPath',
  'loginUrl',
  'consentUrl',
  'resources',
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

/** A misspelt option would otherwise be a default that nobody asked for. */
function nameUnknown(prefix: string, given: object, known: readonly string[], problems: string[]): void {
  for (const name of Object.keys(given)) if (!known.includes(name)) problems.push(`${prefix}${name} is not an option`)
}

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

function readIssuer(issuer: unknown, problems: string[]): URL | undefined {
  const url = typeof issuer === 'string' && URL.canParse(issuer) ? new URL(issuer) : null
  if (!url || typeof issuer !== 'string') {
    problems.push(`issuer must be an absolute URL such as https://example.com: ${quote(issuer)} is not`)
    return undefined
  }
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) {
    problems.push('issuer must use https (http only on a loopback host, for development)')
  }
  if (url.username || url.password) problems.push('issuer must not contain a user name or password')
  // RFC 8414 §2. Clients compare the issuer byte by byte, so what a URL parser would tidy up is refused instead.
  if (/[?#]/.test(issuer)) problems.push('issuer must not have a query or a fragment')
  else if (issuer !== url.origin && issuer !== url.origin + url.pathname) {
    problems.push(`issuer must be written in its normal form: ${quote(url.href.replace(/\/$/, ''))}`)
  }
  if (!/^(\/[\w.~-]+)*\/?$/.test(url.pathname)) problems.push('issuer must have a path of letters, digits and . _ ~ - only')
  if (issuer.endsWith('/')) problems.push('issuer must not end with a slash')
  return url
}

function readScopes(scopes: unknown, signIn: boolean, problems: string[]): ReadonlyMap<string, Scope> {
  const catalogue = new Map<string, Scope>()
  if (signIn) catalogue.set('openid', OPENID)
  if (typeof scopes !== 'object' || scopes === null) {
    problems.push('scopes must map each scope to its definition')
    return catalogue
  }
  for (const [name, definition] of Object.entries(scopes as Record<string, ScopeDefinition | undefined>)) {
    // RFC 6749 §3.3
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name))
      problems.push(`scopes: ${quote(name)} must be printable ASCII without spaces, quotes or backslashes`)
    if (typeof definition?.description !== 'string' || !definition.description) {
      problems.push(`scopes: ${quote(name)} needs a description for the people who will be asked to agree to it`)
      continue
    }
    catalogue.set(name, {
      name,
      description: definition.description,
      category: definition.category ?? '',
      userOnly: OPENID_SCOPES.has(name) || definition.userOnly === true,
      claims: definition.claims ?? STANDARD_CLAIMS[name] ?? [],
    })
  }
  if (!signIn && 'openid' in scopes) problems.push('scopes: "openid" needs sealingKeys, or signingKeys')
  if (Object.keys(scopes).length === 0) problems.push('scopes must define at least one scope')
  return catalogue
}

const OPENID: Scope = { name: 'openid', description: 'Know who you are', category: '', userOnly: true, claims: [] }

/** Access tokens, the longest-lived of what a key may sign, live a day at most. */
const LONGEST_TOKEN_SECONDS = 86_400

function readKeys(
  { keyRotation = {}, sealingKeys, signingAlg = 'RS256', signingKeys }: AuthmountOptions<never>,
  { idTokenSeconds, log }: { readonly idTokenSeconds: number; readonly log: Log },
  problems: string[],
): KeySource | null {
  nameUnknown('keyRotation.', keyRotation, ['everyDays', 'publishSeconds'], problems)
  const days = within('keyRotation.everyDays', keyRotation.everyDays ?? 90, [1, 3650], problems)
  const publishSeconds = within('keyRotation.publishSeconds', keyRotation.publishSeconds ?? 1200, [4, 86_400], problems)
  if (!SIGNING_ALGORITHMS.includes(signingAlg)) problems.push(`signingAlg must be one of ${SIGNING_ALGORITHMS.join(', ')}`)
  if (sealingKeys !== undefined) {
    if (!Array.isArray(sealingKeys) || sealingKeys.length === 0) problems.push('sealingKeys must be an array of keys')
    else if (!sealingKeys.every(key => key instanceof Uint8Array && key.length === 32)) {
      problems.push("sealingKeys must each be 32 bytes: Buffer.from(process.env.SEALING_KEY, 'base64url')")
    } else if (sealingKeys.some(key => new Set(key).size < 8)) problems.push('sealingKeys must be random bytes: these are not')
  }
  if (signingKeys !== undefined) {
    if (!Array.isArray(signingKeys)) problems.push('signingKeys must be an array of private JWKs')
    const keys = (Array.isArray(signingKeys) ? signingKeys : []).flatMap((jwk, index) => {
      try {
        return [signingKey(jwk)]
      } catch (error) {
        problems.push(`signingKeys[${index}] cannot sign: ${error instanceof Error ? error.message : 'it is not a key'}`)
        return []
      }
    })
    if (new Set(keys.map(({ kid }) => kid)).size < keys.length) problems.push('signingKeys must each have a kid of their own')
    const [first, ...rest] = keys
    if (!first && Array.isArray(signingKeys) && signingKeys.length === 0) problems.push('signingKeys must have at least one key')
    return first ? suppliedKeys([first, ...rest]) : null
  }
  if (!sealingKeys) return null
  const tokenMs = Math.max(LONGEST_TOKEN_SECONDS, idTokenSeconds) * 1000
  return managedKeys({
    alg: signingAlg,
    sealingKeys,
    publishMs: publishSeconds * 1000,
    rotateMs: days * 86_400_000,
    tokenMs,
    log,
  })
}

function readResources(resources: unknown, origin: string, problems: string[]): readonly [string, ...string[]] {
  if (resources === undefined) return [origin]
  const given: readonly unknown[] = Array.isArray(resources) ? resources : []
  const known = given.filter((resource): resource is string => {
    const url = typeof resource === 'string' && URL.canParse(resource) ? new URL(resource) : undefined
    const usable = url && /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash && !/[?#]$/.test(url.href)
    if (!usable) problems.push(`resources: ${quote(resource)} must be an absolute http(s) URI without a query or fragment`)
    return usable === true
  })
  const [first, ...rest] = known
  if (given.length === 0) problems.push('resources must be an array of at least one URI')
  return first === undefined ? [origin] : [first, ...rest]
}

function readPageUrl(name: string, value: string, problems: string[]): string {
  const absolute = URL.canParse(value) ? new URL(value) : null
  const usable = absolute ? /^https?:$/.test(absolute.protocol) : /^\/(?![/\\])/.test(value)
  if (!usable || value.includes('#') || !/^[\x21-\x7e]+$/.test(value))
    problems.push(`${name} must be a path such as /login, or an http(s) URL, without a fragment`)
  return value
}

function within(name: string, value: number, [low, high]: readonly [number, number], problems: string[]): number {
  if (!Number.isFinite(value) || value < low || value > high) problems.push(`${name} must be between ${low} and ${high}`)
  return value
}

function isStore(store: unknown): boolean {
  if (typeof store !== 'object' || store === null) return false
  return ['apps', 'oneTime', 'grants', 'consents', 'credentials', 'keys'].every(part => part in store)
}

function quote(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}

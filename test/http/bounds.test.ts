/** Every limit at its boundary: the last value that is taken, and the first that is refused. */
import { createHash } from 'node:crypto'
import type { NewApp } from 'authmount'
import t from 'tap'
import { api, createApp, NEW_APP, UNLIMITED } from '../support/apps-api.ts'
import { REDIRECT_URI, type TestApp } from '../support/client.ts'
import { constantsNamed } from '../support/constants.ts'
import { everyFramework } from '../support/everywhere.ts'
import { authenticate, type TestHost } from '../support/host.ts'
import { type HeldElsewhere, namesTest } from '../support/named-tests.ts'
import { SIGN_IN } from '../support/sign-in.ts'

interface Bound {
  /** The constants that say it, as `file NAME`; none where it stands in a schema. */
  readonly constants?: readonly string[]
  /** The least that is taken, where there is one. */
  readonly least?: number
  readonly most: number
  readonly taken: (size: number, host: TestHost, app: TestApp) => Promise<boolean>
}

const FORM = 'application/x-www-form-urlencoded'

/** A parameter of the authorization request. */
const asked =
  (fields: (size: number) => Record<string, string>): Bound['taken'] =>
  async (size, host, app) =>
    (await host.authorize(app, fields(size))).params.consent_id !== undefined

/** A field of an app, in the host's own code. */
const registered =
  (fields: (size: number) => Partial<NewApp>): Bound['taken'] =>
  (size, host) =>
    host.confidentialApp(fields(size)).then(
      () => true,
      () => false,
    )

const posted = async (host: TestHost, body: string, type = FORM): Promise<boolean> =>
  (await host.send('/oauth/token', { method: 'POST', headers: { 'content-type': type }, body: Buffer.from(body) })).status === 200

const credentials = ({ clientId, clientSecret }: TestApp) =>
  `grant_type=client_credentials&client_id=${clientId}&client_secret=${clientSecret}`

const listed =
  (query: (size: number) => string): Bound['taken'] =>
  async (size, host) =>
    (await api(host, 'GET', query(size))).status === 200

const created =
  (fields: (size: number) => object): Bound['taken'] =>
  async (size, host) =>
    (await api(host, 'POST', '', { body: { ...NEW_APP, ...fields(size) } })).status === 201

const url = (size: number) => `https://app.example/`.padEnd(size, 'x')
let made = 0

const BOUNDS: Readonly<Record<string, Bound>> = {
  'bytes of a state': {
    constants: ['authorize/request.ts MAX_STATE_BYTES'],
    most: 4096,
    taken: asked(size => ({ state: `${'ä'.repeat(10)}${'s'.repeat(size - 20)}` })),
  },
  'characters of a nonce': {
    constants: ['authorize/request.ts MAX_NONCE_CHARS'],
    most: 512,
    taken: asked(size => ({ nonce: 'n'.repeat(size) })),
  },
  'characters of a login_hint': {
    constants: ['authorize/request.ts MAX_CHARS'],
    most: 2048,
    taken: asked(size => ({ login_hint: 'h'.repeat(size) })),
  },
  'characters of claims': {
    constants: ['authorize/request.ts MAX_CHARS_OF', 'oidc/claims.ts MAX_CLAIMS_CHARS'],
    most: 4096,
    taken: asked(size => ({ scope: 'openid', claims: `{"x":"${'x'.repeat(size - 8)}"}` })),
  },
  'characters of the query to which a posted request is redirected': {
    constants: ['authorize/posted-request.ts MAX_QUERY_CHARS'],
    most: 3000,
    async taken(size, host, app) {
      const least = `${host.authorizeQuery(app, { state: '' })}`.length
      const body = host.authorizeQuery(app, { state: 's'.repeat(size - least) })
      const { params, status } = await host.browse('/oauth/authorize', 'anna', { method: 'POST', body })
      return status === 303 && params.request_uri === undefined
    },
  },
  'characters of an authorization request': {
    constants: ['authorize/request.ts MAX_REQUEST_CHARS'],
    most: 12_288,
    async taken(size, host, app) {
      const fields = {
        state: 's'.repeat(4096),
        login_hint: 'h'.repeat(2048),
        ui_locales: 'u'.repeat(2048),
        acr_values: 'a'.repeat(2048),
      }
      const all = [...host.authorizeQuery(app, fields).values()].join('').length
      return asked(() => ({ ...fields, display: 'd'.repeat(size - all) }))(size, host, app)
    },
  },
  'resources that are asked for at once': {
    constants: ['bearer/audience.ts MAX_NAMED'],
    most: 20,
    taken: asked(size => ({ resource: Array.from({ length: size }, (_, index) => `https://issuer.example/${index}`).join(' ') })),
  },
  'bytes of the state of a logout': {
    constants: ['logout/logout.ts MAX_STATE_BYTES'],
    most: 4096,
    async taken(size, host, app) {
      const fields = { client_id: app.clientId, post_logout_redirect_uri: REDIRECT_URI, state: 's'.repeat(size) }
      return (await host.browse(`/oauth/logout?${new URLSearchParams(fields)}`, 'anna')).status === 302
    },
  },
  'characters of a PKCE verifier': {
    least: 43,
    most: 128,
    async taken(size, host, app) {
      const code_verifier = 'v'.repeat(size)
      const code_challenge = createHash('sha256').update(code_verifier).digest('base64url')
      return (await host.redeem(app, await host.approve(app, { code_challenge }), { code_verifier })).status === 200
    },
  },
  'characters of the id of a user': {
    least: 1,
    most: 255,
    taken: async (size, host) => (await host.browse('/oauth/connected-apps', `user-${size}`)).status === 200,
  },
  'characters of the id of an organisation': {
    least: 1,
    most: 255,
    taken: async (size, host) => (await host.browse('/oauth/connected-apps', `org-${size}`)).status === 200,
  },
  'bytes of a form': {
    most: 16_384,
    taken: (size, host, app) => posted(host, `${credentials(app)}&pad=`.padEnd(size, 'x')),
  },
  'bytes of a body of the management API': {
    most: 65_536,
    taken: async (size, host) =>
      (await api(host, 'POST', '', { body: JSON.stringify(NEW_APP).padEnd(size, ' ') })).status === 201,
  },
  'characters of a media type': {
    constants: ['http/body.ts MAX_TYPE_LENGTH'],
    most: 100,
    taken: (size, host, app) => posted(host, credentials(app), `${FORM}; charset=utf-8`.padEnd(size, ';')),
  },
  'depth of JSON': {
    constants: ['http/body.ts MAX_DEPTH'],
    most: 64,
    // Read, it is refused for a field that nobody knows; unread, for being no JSON.
    async taken(size, host) {
      const body = `{"x":${'['.repeat(size - 1)}${']'.repeat(size - 1)}}`
      return JSON.stringify((await api(host, 'POST', '', { body })).body).includes('"path":"x"')
    },
  },
  'entries of a list': {
    constants: ['http/check-input.ts MAX_ENTRIES'],
    most: 1000,
    taken: created(size => ({ allowedScopes: Array.from({ length: size }, () => 'read:records') })),
  },
  'characters of a name that an error repeats': {
    most: 40,
    async taken(size, host, app) {
      const name = 'n'.repeat(size)
      const body = `${credentials(app)}&${name}=1&${name}=2`
      const answer = await host.send('/oauth/token', {
        method: 'POST',
        headers: { 'content-type': FORM },
        body: Buffer.from(body),
      })
      return String(answer.body.error_description).includes(name)
    },
  },
  'characters of a redirect URI': { most: 2048, taken: registered(size => ({ redirectUris: [url(size)] })) },
  'redirect URIs of an app': {
    most: 10,
    taken: registered(size => ({ redirectUris: Array.from({ length: size }, (_, index) => `${REDIRECT_URI}/${index}`) })),
  },
  'origins of an app': {
    most: 10,
    taken: registered(size => ({
      isConfidential: false,
      allowedOrigins: Array.from({ length: size }, (_, index) => `https://o${index}.example`),
    })),
  },
  'characters of an origin': {
    most: 255,
    taken: registered(size => ({
      isConfidential: false,
      allowedOrigins: [`https://${'o.'.repeat(size)}`.slice(0, size - 1).concat('e')],
    })),
  },
  'characters of the name of an app': { least: 1, most: 100, taken: registered(size => ({ name: 'n'.repeat(size) })) },
  'characters of a description': { most: 500, taken: registered(size => ({ description: 'd'.repeat(size) })) },
  'characters of a link': { most: 2048, taken: registered(size => ({ homepageUrl: url(size) })) },
  'characters of a client_id': {
    least: 1,
    most: 2048,
    taken: registered(size => ({ clientId: String(made++).padEnd(size, 'c').slice(0, size) })),
  },
  'characters of a fixed secret': {
    constants: ['apps/register-app.ts SECRET_LENGTH'],
    least: 32,
    most: 255,
    taken: registered(size => ({ clientId: `fixed-${made++}`, clientSecret: 's3cr3t'.repeat(50).slice(0, size) })),
  },
  'seconds of an access token': { least: 300, most: 86_400, taken: registered(accessTokenLifetime => ({ accessTokenLifetime })) },
  'seconds of a refresh token': {
    least: 3600,
    most: 31_536_000,
    taken: registered(refreshTokenLifetime => ({ refreshTokenLifetime })),
  },
  'days of a grant': { least: 1, most: 3650, taken: registered(grantDays => ({ grantDays })) },
  'apps on a page': { least: 1, most: 100, taken: listed(size => `?limit=${size}`) },
  'characters of a search': { most: 200, taken: listed(size => `?search=${'s'.repeat(size)}`) },
  'tokens on a page': {
    least: 1,
    most: 1000,
    taken: async (size, host, app) => (await api(host, 'GET', `/${app.clientId}/tokens?limit=${size}`)).status === 200,
  },
  'seconds that an old secret goes on': {
    constants: ['apps/regenerate-secret.ts MAX_OVERLAP_SECONDS'],
    least: 0,
    most: 604_800,
    async taken(overlapSeconds, host) {
      const { id } = await createApp(host)
      return (await api(host, 'POST', `/${id}/regenerate-secret`, { body: { overlapSeconds } })).status === 200
    },
  },
}

/** Limits of the code that another test holds, or that bound memory and answers rather than what a caller may do. */
const ELSEWHERE: Readonly<Record<string, HeldElsewhere>> = {
  'authorize/kept-device.ts MOST_CHARS': ['oauth/devices.test.ts', 'a function for devices that fails issues nothing'],
  'http/check-input.ts MAX_DETAILS': ['http/surface.test.ts', 'JSON that is nested without end, or has lists without end'],
  'http/check-input.ts MAX_NAME': ['http/surface.test.ts', 'JSON that is nested without end, or has lists without end'],
  'http/body.ts DRAIN_BYTES': ['http/surface.test.ts', 'a body without an end is answered, and its connection closed'],
  'connectors/callback.ts MAX_KEPT': ['connectors/attacks.test.ts', 'what the callback says is kept where the provider names it'],
  'connectors/callback.ts MAX_POSTED': ['connectors/attacks.test.ts', 'nothing but a callback can be posted'],
  'connectors/retry.ts MAX_TRIES': ['connectors/tokens.test.ts', 'a provider that is busy is asked again'],
  'outbound/exchange.ts MAX_CODINGS': ['connectors/outbound.test.ts', 'a compressed body arrives decompressed'],
  'verify/revocations.ts MAX_REVOCATIONS': ['verify-revocations.test.ts', 'an app that gives back many tokens of its own'],
  'tokens/key-set.ts MAX_UNKNOWN': ['verify-keys.test.ts', 'forged tokens that name unknown keys cause a bounded number'],
  'base/log.ts MAX_DEPTH': ['oauth/secrets.test.ts', 'of an error the log receives name, message, code, stack and causes'],
  'base/ids.ts APP_ID_LENGTH': ['unit/known-answers.test.ts', 'what is derived is derived in the same way for ever'],
  'base/ids.ts GRANT_ID_LENGTH': ['unit/known-answers.test.ts', 'codes, tokens and secrets have 256 random bits'],
  'tokens/sealed-successor.ts NONCE_BYTES': ['unit/known-answers.test.ts', 'what was sealed long ago opens'],
  'tokens/sealed-successor.ts TAG_BYTES': ['unit/known-answers.test.ts', 'what was sealed long ago opens'],
  'tokens/sealed-successor.ts HEAD_BYTES': ['unit/known-answers.test.ts', 'what was sealed long ago opens'],
  'authorize/host-steps.ts MAX_STEPS': [
    'oauth/steps.test.ts',
    'the most that a host may say of its steps is taken, and one more is not',
  ],
  'authorize/host-steps.ts MAX_URL_CHARS': [
    'oauth/steps.test.ts',
    'the most that a host may say of its steps is taken, and one more is not',
  ],
  'authorize/host-steps.ts MAX_REMEMBER_SECONDS': [
    'oauth/steps.test.ts',
    'the most that a host may say of its steps is taken, and one more is not',
  ],
  'base/authentication-names.ts MAX_METHODS': [
    'oauth/step-up.test.ts',
    'how somebody signed in must be said in words that can be passed on',
  ],
  'tokens/authentication.ts MAX_AGE_SECONDS': [
    'oauth/step-up.test.ts',
    'where the host does not say how or when its user signed in, neither is met',
  ],
  'clients/admission.ts MAX_PENDING': [
    'self-registered/admission.test.ts',
    'of a user five requests wait, and of an organisation fifty',
  ],
  'clients/authenticate/private-key-jwt.ts MAX_ASSERTION_LENGTH': [
    'oauth/private-key-jwt.test.ts',
    'an assertion that is wrong in any way is invalid_client, and spends nothing',
  ],
  'clients/client-keys.ts MAX_KEY_SET_BYTES': [
    'oauth/private-key-jwt.test.ts',
    'while the keys cannot be read, the last good ones serve for an hour; without any the answer is 503',
  ],
  'clients/client-keys.ts MAX_SETS': 'memory of one process',
  'clients/public-keys.ts MAX_CLIENT_KEYS': ['oauth/private-key-jwt.test.ts', 'only public keys that can verify are registered'],
  'clients/client-metadata.ts MAX_URIS': ['self-registered/documents.test.ts', 'with too many redirect URIs'],
  'clients/client-metadata.ts MAX_NAME': ['self-registered/registration.test.ts', 'a long name'],
  'clients/document-reader.ts MAX_DOCUMENT_BYTES': ['self-registered/documents.test.ts', 'of 5 KiB and a byte'],
  'oidc/claims.ts MAX_USER_CLAIMS_CHARS': ['oauth/rules.test.ts', 'whichever function of the host’s fails'],
  'rules/policy.ts MAX_DESCRIPTION_CHARS': ['oauth/rules.test.ts', 'whichever function of the host’s fails'],
  'tokens/token-claims.ts MAX_TOKEN_CLAIMS_BYTES': ['oauth/rules.test.ts', 'claims of 2 KiB are taken'],
  'connected-apps/list.ts MAX_TOKENS': 'how many tokens are read for a list that shows apps',
  'connectors/provider-tokens.ts MAX_EXPIRES_IN': 'ten years: a number that a provider could not mean',
  'http/limits.ts MAX_EXHAUSTED': 'memory of one process',
  'http/rate-limiter.ts MAX_KEYS': 'memory of one process',
  'logout/end-session.ts MAX_PASSES': 'how often a list is read in which grants may move meanwhile',
  'oidc/app-sessions.ts MAX_SESSIONS': ['oidc/back-channel-logout.test.ts', 'of a user’s sessions the newest thirty are kept'],
  'oidc/app-sessions.ts MAX_SIGNED_OUT': ['oidc/back-channel-logout.test.ts', 'of a user’s sessions the newest thirty are kept'],
  'oidc/back-channel-logout.ts MAX_TOLD_BYTES': [
    'oidc/back-channel-logout.test.ts',
    'an app that cannot be told is tried three times at most',
  ],
  'pages/language.ts MAX_WANTED': 'how many languages of a browser are looked at',
  'tokens/dpop-proof.ts MAX_PROOF_CHARS': ['oauth/dpop.test.ts', 'a JWT of five kilobytes'],
  'tokens/dpop-proof.ts MAX_JTI_CHARS': ['oauth/dpop.test.ts', 'a jti of 300 characters'],
  'tokens/proof-check.ts MAX_KEYS': 'memory of one process',
  'tokens/used-proofs.ts MAX_USED': 'memory of one process',
  'tokens/jwt-access-token.ts MAX_LENGTH': 'a header of 16 KiB does not reach us: Node ends it before',
  'verify/verifier.ts MAX_REMEMBERED': 'memory of one process',
  'doctor/probe.ts MAX_BYTES': 'what the doctor keeps of an answer; it judges metadata, which are short',
  'doctor/checks/mount-cure.ts MAX_DEPTH': 'how many prefixes the doctor tries where a mount is not found',
  'doctor/checks/server-metadata.ts MAX_AGE_SECONDS': ['doctor/doctor.test.ts', 'each kind of finding is shown'],
  'base/crypto.ts DIGEST_LENGTH': 'a fact of SHA-256',
}

const LONG: Readonly<Record<string, (size: number) => object>> = {
  user: size => ({ userId: 'u'.repeat(size), orgId: 'org-1', isAdmin: false }),
  org: size => ({ userId: 'anna', orgId: 'o'.repeat(size), isAdmin: false }),
}

everyFramework(
  'each limit takes its last value and refuses the next',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedScopes: ['openid', 'read:records'] })
    for (const [what, { least, most, taken }] of Object.entries(BOUNDS)) {
      const cases = [
        [most, true],
        [most + 1, false],
        ...(least === undefined
          ? []
          : [
              [least, true],
              [least - 1, false],
            ]),
      ] as const
      for (const [size, expected] of cases) t.equal(await taken(Number(size), host, app), expected, `${size} ${what}`)
    }
  },
  {
    ...SIGN_IN,
    ...UNLIMITED,
    logoutUrl: '/sign-out',
    resources: Array.from({ length: 21 }, (_, index) => `https://issuer.example/${index}`),
    async authenticate(request) {
      const [, which = '', size = ''] = /session=(user|org)-(\d+)/.exec(request.headers.cookie ?? '') ?? []
      return (LONG[which]?.(Number(size)) as Awaited<ReturnType<typeof authenticate>>) ?? authenticate(request)
    },
  },
)

t.test('each limit of the code has a row, with its number', async t => {
  const rows = new Map(
    Object.values(BOUNDS).flatMap(({ constants = [], ...bound }) => constants.map(name => [name, bound] as const)),
  )
  const constants = await constantsNamed(/^MAX_|_(CHARS|BYTES|LENGTH|DEPTH)$/)
  t.ok(constants.size > 20)
  for (const [name, value] of constants) {
    const row = rows.get(name)
    if (row && !Number.isNaN(value)) t.ok([row.least, row.most].includes(value), `${name} is ${value}`)
    t.ok(row !== undefined || Object.hasOwn(ELSEWHERE, name), `${name} has a row`)
  }
  for (const [name, held] of Object.entries(ELSEWHERE)) {
    t.ok(constants.has(name), `${name} is in the code`)
    if (typeof held !== 'string') t.ok(await namesTest(...held), held.join(': '))
  }
  for (const name of rows.keys()) t.ok(constants.has(name), `${name} is in the code`)
})

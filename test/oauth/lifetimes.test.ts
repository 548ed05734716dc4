/** Every lifetime at its instant: good a millisecond before its end, and no more at the end. */
import { decodeJwt } from 'jose'
import t from 'tap'
import { api, createApp, UNLIMITED } from '../support/apps-api.ts'
import { REDIRECT_URI } from '../support/client.ts'
import { constantsNamed } from '../support/constants.ts'
import { DEVICE_CODE, deviceApp } from '../support/devices.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { authenticate, type HostOptions, type TestHost } from '../support/host.ts'
import { type HeldElsewhere, namesTest } from '../support/named-tests.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'

interface Lifetime {
  /** The constant that says it, as `file NAME`; none where it is an option or a field of an app. */
  readonly constants?: readonly string[]
  readonly seconds: number
  /** Whether it is still good at the very end, and not only before it. */
  readonly through?: boolean
  /** Begins one, and says how to ask whether it is still good. */
  readonly begin: (host: TestHost) => Promise<() => Promise<boolean>>
}

const html = { headers: { accept: 'text/html' } }

/** An app whose tokens live for 400 seconds and two hours, and two tokens of it. */
async function shortLived(host: TestHost) {
  const app = await host.confidentialApp({ accessTokenLifetime: 400, refreshTokenLifetime: 7200 })
  return { app, ...(await host.tokens(app)) }
}

const LIFETIMES: Readonly<Record<string, Lifetime>> = {
  'an authorization code': {
    seconds: 60,
    async begin(host) {
      const app = await host.confidentialApp()
      const code = await host.approve(app)
      return async () => (await host.redeem(app, code)).status === 200
    },
  },
  'the code of a device, for its user': {
    seconds: 600,
    async begin(host) {
      const { body } = await host.post('/oauth/device_authorization', await deviceApp(host), {})
      return async () => (await host.browse(`/oauth/device?user_code=${body.user_code}`, 'anna')).text.includes('name="consent"')
    },
  },
  'the code of a device, for the device': {
    // From when its user can no longer answer.
    constants: ['device/authorization.ts KEPT_MS'],
    seconds: 600,
    async begin(host) {
      const app = await deviceApp(host)
      const { body } = await host.post('/oauth/device_authorization', app, {})
      host.clock.advance(600)
      const fields = { grant_type: DEVICE_CODE, device_code: String(body.device_code) }
      return async () => (await host.post('/oauth/token', app, fields)).body.error === 'expired_token'
    },
  },
  'a consent screen': {
    seconds: 600,
    async begin(host) {
      const screen = await host.authorize(await host.confidentialApp())
      return async () => (await host.decide(screen)).params.code !== undefined
    },
  },
  'an access token of a user': {
    seconds: 400,
    async begin(host) {
      const { access } = await shortLived(host)
      return async () => (await host.records(access)) === 200
    },
  },
  'an access token, as introspection says': {
    seconds: 400,
    async begin(host) {
      const { access, app } = await shortLived(host)
      return () => host.isActive(app, access)
    },
  },
  'an access token, in the list of an admin': {
    seconds: 400,
    async begin(host) {
      const app = await host.confidentialApp({
        accessTokenLifetime: 400,
        allowedGrantTypes: ['client_credentials'],
        redirectUris: [],
      })
      await host.clientCredentials(app)
      return async () => JSON.parse((await api(host, 'GET', `/${app.clientId}/tokens`)).text).length > 0
    },
  },
  'an access token of an app': {
    seconds: 3600,
    async begin(host) {
      const { body } = await host.clientCredentials(await host.confidentialApp())
      return async () => (await host.records(body.access_token)) === 200
    },
  },
  'a refresh token': {
    seconds: 7200,
    async begin(host) {
      const { app, refresh } = await shortLived(host)
      return async () => (await host.refresh(app, refresh)).status === 200
    },
  },
  'a refresh token that came of a refresh': {
    seconds: 7200,
    async begin(host) {
      const { app, refresh } = await shortLived(host)
      host.clock.advance(3600)
      const { body } = await host.refresh(app, refresh)
      return async () => (await host.refresh(app, body.refresh_token)).status === 200
    },
  },
  'a refresh token, as revocation sees it': {
    seconds: 7200,
    async begin(host) {
      const { app, refresh } = await shortLived(host)
      return async () => {
        const told = host.events.length
        await host.post('/oauth/revoke', app, { token: refresh })
        return host.events.slice(told).some(({ type }) => type === 'token_revoked')
      }
    },
  },
  'a refresh token without a lifetime of its own': {
    seconds: 604_800,
    async begin(host) {
      const app = await host.confidentialApp()
      const { refresh } = await host.tokens(app)
      return async () => (await host.refresh(app, refresh)).status === 200
    },
  },
  'the grace of a refresh': {
    seconds: 10,
    through: true,
    async begin(host) {
      const { app, refresh } = await shortLived(host)
      const { body } = await host.refresh(app, refresh)
      return async () => (await host.refresh(app, refresh)).body.refresh_token === body.refresh_token
    },
  },
  'a secret that was replaced': {
    seconds: 100,
    async begin(host) {
      const app = await createApp(host)
      await api(host, 'POST', `/${app.id}/regenerate-secret`, { body: { overlapSeconds: 100 } })
      return async () => (await host.clientCredentials(app)).status === 200
    },
  },
  'the way through a login': {
    constants: ['authorize/login-proof.ts LOGIN_MS'],
    seconds: 600,
    async begin(host) {
      const { params } = await host.authorize(await signInApp(host), { scope: 'openid', prompt: 'login' })
      return async () => (await host.browse(params.returnTo ?? '', 'anna#again')).params.consent_id !== undefined
    },
  },
  'a logout': {
    constants: ['logout/logout.ts DECISION_MS'],
    seconds: 600,
    async begin(host) {
      const app = await host.confidentialApp()
      const fields = { client_id: app.clientId, post_logout_redirect_uri: REDIRECT_URI }
      const { params } = await host.browse(`/oauth/logout?${new URLSearchParams(fields)}`, 'anna')
      return async () => (await host.browse(params.returnTo ?? '', null)).location?.href.startsWith(REDIRECT_URI) === true
    },
  },
  'the button of a page of connected apps': {
    constants: ['connected-apps/form.ts FORM_MS'],
    seconds: 3600,
    async begin(host) {
      const app = await host.confidentialApp()
      await host.approve(app)
      const page = await host.browse('/oauth/connected-apps', 'anna', html)
      const form_id = /name="form_id" value="([\w-]+)"/.exec(page.text)?.[1] ?? ''
      const init = { method: 'POST', body: new URLSearchParams({ form_id }), ...html }
      return async () => (await host.browse(`/oauth/connected-apps/${app.clientId}`, 'anna', init)).status < 400
    },
  },
  'the same answer to a withdrawal that is repeated': {
    // As long as a screen that is open (600 s), a request, and a minute.
    seconds: 662,
    async begin(host) {
      const app = await host.confidentialApp()
      await host.approve(app)
      const withdraw = () => host.browse(`/oauth/connected-apps/${app.clientId}`, 'anna', { method: 'DELETE' })
      await withdraw()
      return async () => (await withdraw()).status === 200
    },
  },
  'the announcement of a revocation that is repeated': {
    constants: ['bearer/end-grant.ts MARK_MS'],
    seconds: 900,
    async begin(host) {
      const app = await host.confidentialApp()
      const { refresh } = await host.tokens(app)
      const announced = async () => {
        const told = host.events.length
        await host.post('/oauth/revoke', app, { token: refresh })
        return host.events.slice(told).some(({ type }) => type === 'token_revoked')
      }
      await announced()
      return announced
    },
  },
}

/** Durations of the code that another test holds, or that say how long something of ours waits. */
const ELSEWHERE: Readonly<Record<string, HeldElsewhere>> = {
  'token/issue.ts DAY_MS': ['oauth/rules.test.ts', 'a grant ends after so many days'],
  'connectors/authorize.ts STATE_SECONDS': ['connectors/attacks.test.ts', 'a state is good for ten minutes'],
  'connectors/retry.ts TRY_MS': ['connectors/outbound.test.ts', 'silence ends in time, wherever it falls'],
  'connectors/connector-tokens.ts LEASE_MS': ['chaos/connectors.test.ts', 'a process dies'],
  'connectors/connector-tokens.ts WAIT_MS': ['connectors/tokens.test.ts', 'while another process refreshes'],
  'connectors/presets.ts APPLE_SECRET_SECONDS': [
    'connectors/presets.test.ts',
    'the secret of an app at Apple is signed by its key',
  ],
  'http/body.ts DRAIN_MS': ['http/surface.test.ts', 'a body without an end is answered, and its connection closed'],
  'tokens/proof-times.ts PROOF_AGE_MS': ['oauth/dpop.test.ts', 'a proof can be used for five minutes'],
  'tokens/proof-times.ts PROOF_AHEAD_MS': ['oauth/dpop.test.ts', 'a proof can be used for five minutes'],
  'tokens/proof-times.ts PROOF_MS': ['oauth/dpop.test.ts', 'a proof can be used for five minutes'],
  'tokens/proof-nonces.ts NONCE_MS': ['oauth/dpop.test.ts', 'a proof needs a nonce of the server'],
  'bearer/proof.ts SKEW_MS': 'how far the clocks of two processes may differ',
  'tokens/key-set.ts TRUSTED_MS': ['verify-keys.test.ts', 'keys older than five minutes are read before they are believed'],
  'tokens/key-set.ts AGING_MS': ['verify-keys.test.ts', 'a busy service never waits for keys that are only old'],
  'tokens/key-set.ts UNREAD_MS': ['verify-keys.test.ts', 'while the keys cannot be read, those at hand are good for an hour'],
  'tokens/key-set.ts RETRY_MS': ['verify-keys.test.ts', 'without any keys, forged tokens make a server that is away be asked'],
  'tokens/key-set.ts EXCUSED_MS': ['verify-keys.test.ts', 'a clock that jumps, either way, makes no good token a 401'],
  'tokens/key-set.ts UNKNOWN_MS': ['verify-keys.test.ts', 'forged tokens that name unknown keys cause a bounded number'],
  'verify/refusals.ts REPEAT_MS': ['verify-server.test.ts', 'the log repeats a reason after a minute'],
  'verify/server-metadata.ts RETRY_MS': [
    'verify-server.test.ts',
    'opaque: while introspection fails, the metadata are read again',
  ],
  'verify/revocations.ts KEPT_MS': ['verify-revocations.test.ts', 'revocations are kept for as long as an access token can live'],
  'options/signing.ts LONGEST_TOKEN_SECONDS': ['oidc/keys.test.ts', 'a new key is published long before it signs'],
  'clients/authenticate/private-key-jwt.ts LONGEST_MS': [
    'oauth/private-key-jwt.test.ts',
    'an assertion that is wrong in any way is invalid_client, and spends nothing',
  ],
  'clients/authenticate/private-key-jwt.ts SKEW_MS': [
    'oauth/private-key-jwt.test.ts',
    'an assertion is taken with what a careful client may send',
  ],
  'clients/document-reader.ts DOCUMENT_TIMEOUT_MS': [
    'self-registered/documents.test.ts',
    'a slow server of documents is not waited for longer than five seconds',
  ],
  'clients/document-reader.ts FRESH_MS': ['self-registered/documents.test.ts', 'a document is believed for as long as it says'],
  'clients/metadata-document.ts STALE_MS': ['self-registered/documents.test.ts', 'a document is believed for as long as it says'],
  'clients/metadata-document.ts PAUSE_MS': ['self-registered/documents.test.ts', 'a document is believed for as long as it says'],
  'clients/self-registered.ts ACCESS_TOKEN_SECONDS': 'no test looks at its end',
  'clients/self-registered.ts REFRESH_TOKEN_SECONDS': 'no test looks at its end',
  'clients/self-registered.ts DAY_MS': 'a unit',
  'clients/self-registered.ts DEFAULT_IDLE_MS': ['self-registered/documents.test.ts', 'a client that nobody uses is forgotten'],
  'authorize/steps.ts STEP_MS': ['oauth/steps.test.ts', 'the id of a step is of its user, session and request, and passes once'],
  'clients/admission.ts PENDING_MS': ['self-registered/admission.test.ts', 'of a user five requests wait'],
  'clients/admission.ts DONE_MS': 'no test looks at its end',
  'options/clients.ts DAY_MS': 'a unit',
  'authorize/agreed-scopes.ts DAY_MS': 'a unit',
  'authorize/agreed-scopes.ts DECLINED_MS': [
    'oauth/optional-scopes.test.ts',
    'what was declined is not asked for at each sign-in',
  ],
  'authorize/consent.ts LOOK_AFTER_MS': 'how long the loser of two clicks waits for the winner',
  'connectors/provider-metadata.ts DISCOVERY_MS': 'how long what a provider says of itself is remembered',
  'connectors/provider-metadata.ts FORGET_MS': 'how often it is asked while it fails',
  'oidc/app-sessions.ts SIGNED_OUT_MS': 'longer than a code may live, which is refused by then in any case',
  'oidc/back-channel-logout.ts WAIT_MS': ['oidc/back-channel-logout.test.ts', 'an app that hangs does not hold up the sign-out'],
  'tokens/logout-token.ts LOGOUT_TOKEN_SECONDS': [
    'oidc/back-channel-logout.test.ts',
    'an app is told of a sign-out by a token that it can verify',
  ],
  'sign-in/account-exchange.ts CODE_SECONDS': 'longer than any provider lets its codes live',
  'clients/deletion-mark.ts MARK_MS': ['oauth/ends.test.ts', 'an app is deleted'],
}

/** By a session that says when its user signed in, and by a bearer token of the host's. */
const inEitherWay: HostOptions['authenticate'] = async request =>
  (await SIGN_IN.authenticate?.(request)) ?? (await authenticate(request))

for (const [kind, sealed] of [
  ['with sealing keys', {}],
  ['without', { sealingKeys: undefined }],
] as const) {
  const some = kind === 'without' ? ['the button of a page of connected apps'] : Object.keys(LIFETIMES)
  everywhere(
    `each lifetime ends at its instant, ${kind}`,
    async (t, host) => {
      host.clock.stop()
      for (const what of some) {
        const { begin, seconds, through = false } = LIFETIMES[what] as Lifetime
        const before = await begin(host)
        host.clock.advance(seconds - 0.001)
        t.equal(await before(), true, `${what}, a millisecond before`)
        const end = await begin(host)
        host.clock.advance(seconds)
        t.equal(await end(), through, `${what}, at the end`)
        const after = await begin(host)
        host.clock.advance(seconds + 0.001)
        t.equal(await after(), false, `${what}, a millisecond after`)
      }
    },
    {
      ...SIGN_IN,
      ...UNLIMITED,
      devices: {},
      authenticate: inEitherWay,
      ...(kind === 'without' ? {} : { logoutUrl: '/sign-out' }),
      ...sealed,
    },
  )
}

everyFramework(
  'a JWT says how long it lives, to the second',
  async (t, host) => {
    const app = await signInApp(host, { accessTokenLifetime: 400 })
    const { body } = await host.redeem(app, await host.approve(app, { scope: 'openid read:records' }))
    t.equal(body.expires_in, 400)
    for (const [token, seconds] of [
      [body.access_token, 400],
      [body.id_token, 3600],
    ] as const) {
      const { exp = 0, iat = 0 } = decodeJwt(String(token))
      t.equal(exp - iat, seconds)
    }
  },
  { ...SIGN_IN, accessTokenFormat: 'jwt' },
)

for (const [publishSeconds, maxAge] of [
  [1200, 300],
  [60, 15],
] as const) {
  everyFramework(
    `clients may keep keys that are published for ${publishSeconds} s before they sign for ${maxAge} s`,
    async (t, host) => {
      const { headers } = await host.send('/.well-known/jwks.json')
      t.equal(headers.get('cache-control'), `public, max-age=${maxAge}`)
    },
    { ...SIGN_IN, keyRotation: { publishSeconds } },
  )
}

t.test('each duration of the code has a row, with its number', async t => {
  const rows = new Map(
    Object.values(LIFETIMES).flatMap(({ constants = [], seconds }) => constants.map(name => [name, seconds] as const)),
  )
  const constants = await constantsNamed(/^(?!MAX_).*_(MS|SECONDS)$/)
  t.ok(constants.size > 20)
  for (const [name, value] of constants) {
    const seconds = rows.get(name)
    if (seconds !== undefined) t.equal(value, name.endsWith('_MS') ? seconds * 1000 : seconds, name)
    t.ok(seconds !== undefined || Object.hasOwn(ELSEWHERE, name), `${name} has a row`)
  }
  for (const [name, held] of Object.entries(ELSEWHERE)) {
    t.ok(constants.has(name), `${name} is in the code`)
    if (typeof held !== 'string') t.ok(await namesTest(...held), held.join(': '))
  }
  for (const name of rows.keys()) t.ok(constants.has(name), `${name} is in the code`)
})

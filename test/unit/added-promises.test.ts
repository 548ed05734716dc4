/**
 * How many promises a request makes from the adapter to its answer, counted by Node itself. Each costs a request about 0.1 µs, and
 * a host without rules, claims and ID tokens must not pay for them.
 */
import { createHook } from 'node:async_hooks'
import type { AuthmountOptions, HttpRequest } from 'authmount'
import { createAuthmount } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { CHALLENGE, REDIRECT_URI, VERIFIER } from '../support/client.ts'
import { SCOPES, USERS } from '../support/host.ts'
import { SEALING_KEY } from '../support/sign-in.ts'

/**
 * The most promises of each request, as they were before hosts could have rules. A change that makes more needs a reason, and a new
 * number here.
 */
const MOST = { authorize: 64, code: 62, refresh: 39, retry: 49, client: 31, introspect: 15, guard: 7 }
/** The same with `openid`: an ID token is signed. */
const MOST_WITH_OPENID = { ...MOST, code: 84, refresh: 61, retry: 65 }

type Counts = Record<keyof typeof MOST, number>

t.test('a host without rules pays no promise for them', async t => {
  const without = await countAll({})
  for (const [name, most] of Object.entries(MOST))
    t.ok(without[name as keyof Counts] <= most, `${name}: ${JSON.stringify(without)}`)
  const withKeys = await countAll({ sealingKeys: [SEALING_KEY], signingAlg: 'ES256' }, 'openid read:records')
  for (const [name, most] of Object.entries(MOST_WITH_OPENID))
    t.ok(withKeys[name as keyof Counts] <= most, `${name} with openid: ${JSON.stringify(withKeys)}`)

  // What is counted is what is meant: a rule costs some.
  const ruled = await countAll({ policy: () => ({ allow: true }), policyAtUse: true })
  for (const name of Object.keys(MOST) as (keyof Counts)[])
    if (name !== 'retry') t.ok(ruled[name] > without[name], `${name} with a policy: ${JSON.stringify(ruled)}`)
  t.equal(ruled.retry, without.retry, 'a retry asks nobody')
})

/** Runs each request twice on a server of its own, and counts the second time: caches are filled by then. */
async function countAll(options: Partial<AuthmountOptions>, scope = 'read:records'): Promise<Counts> {
  const authmount = createAuthmount({
    issuer: 'https://issuer.example',
    store: memoryStore(),
    scopes: SCOPES,
    authenticate: () => USERS.anna,
    ...options,
  })
  const allowedScopes = scope.split(' ')
  const registration = { name: 'An app', redirectUris: [REDIRECT_URI], allowedScopes }
  const { clientId, clientSecret } = await authmount.registerApp(registration, { orgId: 'org-1', userId: 'anna' })
  const credentials = { client_id: clientId, client_secret: clientSecret ?? '' }
  const send = async (method: string, path: string, fields: Readonly<Record<string, string>>) => {
    const found = authmount.find(path)
    if (!found) throw new Error(`${path} is not served`)
    const given = new URLSearchParams(fields)
    const request: HttpRequest = {
      method,
      params: found.params,
      query: method === 'GET' ? given : new URLSearchParams(),
      headers: {},
      body: method === 'GET' ? { kind: 'none' } : { kind: 'form', form: given },
      ip: '127.0.0.1',
      native: null,
    }
    const { answer, promises } = await counting(() => authmount.dispatch(found.endpoint, request))
    const params = new URL(answer.headers.location ?? '', 'https://issuer.example').searchParams
    const body = answer.body === '' ? {} : (JSON.parse(answer.body) as Readonly<Record<string, string>>)
    return { promises, params, body }
  }
  const token = (fields: Readonly<Record<string, string>>) => send('POST', '/oauth/token', { ...fields, ...credentials })
  const asked = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT_URI,
    scope,
    state: 'state-1',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  }
  const agree = await send('GET', '/oauth/authorize', asked)
  await send('POST', '/oauth/authorize', { consent_id: agree.params.get('consent_id') ?? '', consent: 'granted' })

  const guard = authmount.guard({ scopes: ['read:records'] })
  const once = async (): Promise<Counts> => {
    const authorize = await send('GET', '/oauth/authorize', asked)
    const code = authorize.params.get('code') ?? ''
    const grant = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
    const exchanged = await token(grant)
    const refresh = { grant_type: 'refresh_token', refresh_token: exchanged.body.refresh_token ?? '' }
    const refreshed = await token(refresh)
    const retry = await token(refresh)
    const client = await token({ grant_type: 'client_credentials', scope: 'read:records' })
    const access = client.body.access_token ?? ''
    const introspect = await send('POST', '/oauth/introspect', { token: access, ...credentials })
    const request = { method: 'GET', url: '/', headers: { authorization: `Bearer ${access}` } }
    const guarded = await counting(() => guard(request))
    if (!('oauth' in guarded.answer) || retry.body.access_token !== refreshed.body.access_token)
      throw new Error('a request was refused')
    return {
      authorize: authorize.promises,
      code: exchanged.promises,
      refresh: refreshed.promises,
      retry: retry.promises,
      client: client.promises,
      introspect: introspect.promises,
      guard: guarded.promises,
    }
  }
  await once()
  return once()
}

/** Counts the promises that are made until the answer is there. */
async function counting<T>(run: () => Promise<T>): Promise<{ readonly answer: T; readonly promises: number }> {
  let promises = 0
  const hook = createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises++
    },
  })
  await new Promise(resolve => setImmediate(resolve))
  hook.enable()
  const answer = await run()
  hook.disable()
  return { answer, promises }
}

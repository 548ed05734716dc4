/** @import { Action, ActionName, Exchange, State } from './types.ts' */
import { authorizeCode, createAppCode, PREPARE_CODE, redeemCode, signInCode } from './client-code.js'
import { PROOF_IN_SHELL, toCurlOfVisit } from './curl.js'
import { forgetAfter } from './memory.js'
import { prepare, readIdToken } from './proof.js'
import { asApp, bad, fact, good, refused } from './say.js'
import { get, jsonOf, postForm, postJson, statusOf } from './wire.js'

const { origin } = location

/** Where the demo app lives: here. */
export const REDIRECT_URI = `${origin}/playground`

/** @type {{ [Name in 'signIn' | 'createApp' | 'prepare' | 'authorize' | 'redeem']: Action }} */
export const gettingTokens = {
  signIn: {
    missing: () => null,
    plan(_state, form) {
      const [name, password] = [String(form.get('name')), String(form.get('password'))]
      const request = postForm(`${origin}/login`, { name, password, returnTo: '/whoami' }, {}, 'begins')
      return [{ request, code: signInCode({ origin, name, password }) }]
    },
    learn(state, exchange) {
      const user = jsonOf(exchange)
      if (statusOf(exchange) === 200 && typeof user.id === 'string') state.user = /** @type {any} */ (user)
    },
    notes({ user }, [exchange]) {
      if (statusOf(exchange) !== 200 || !user) return refused(exchange, 'Nobody has been signed in.')
      return [
        good(`You are ${user.name}. The cookie is the host’s, and HttpOnly: the browser has it, and this page cannot see it.`),
        user.isAdmin
          ? fact('authmount sets no cookie and knows no password: it asks the host, at every request, who that is.')
          : bad(`${user.name} is no admin, so that step 2 will be refused. Try it, or sign in as anna.`),
      ]
    },
  },

  createApp: {
    missing: ({ user }) => (user ? null : 'Opens when you are signed in (step 1).'),
    plan({ user }, form) {
      const app = {
        name: String(form.get('name')),
        redirectUris: [REDIRECT_URI],
        allowedScopes: form.getAll('scope').map(String),
        isConfidential: form.get('kind') === 'confidential',
      }
      const request = postJson(`${origin}/oauth-clients`, app, {}, 'sent')
      return [{ request, code: createAppCode({ origin, user: user?.id ?? '', app }) }]
    },
    learn(state, exchange) {
      if (statusOf(exchange) !== 201) return
      const { allowedScopes, clientId, clientSecret = null } = /** @type {any} */ (jsonOf(exchange))
      state.app = { clientId, clientSecret, redirectUri: REDIRECT_URI, scope: allowedScopes.join(' ') }
      startOver(state, 'createApp')
    },
    notes(_state, [exchange]) {
      if (statusOf(exchange) !== 201) return refused(exchange, 'No app has been created.')
      const secret = jsonOf(exchange).clientSecret
      return [
        secret
          ? good('clientSecret is in this answer and in no other: the server keeps only its hash.')
          : good('There is no clientSecret: a browser or a phone could not keep it, so this app has to use PKCE instead.'),
        fact('A code will only ever be sent to one of redirectUris, compared byte for byte.'),
      ]
    },
  },

  prepare: {
    missing: ({ app }) => (app ? null : 'Opens when there is an app (step 2).'),
    async plan(state) {
      state.prepared = await prepare()
      startOver(state, 'prepare')
      const { challenge, state: id, verifier } = state.prepared
      /** @type {[string, string][]} */
      const made = [
        ['code_verifier', verifier],
        ['code_challenge', challenge],
        ['state', id],
      ]
      return [{ request: null, made, code: PREPARE_CODE, curl: PROOF_IN_SHELL }]
    },
    notes: () => [fact('code_challenge = BASE64URL(SHA-256(code_verifier)). Nobody gets from the challenge to the verifier.')],
  },

  authorize: {
    missing({ prepared }) {
      if (!prepared) return 'Opens when these values are made (step 3).'
      return prepared.used ? 'Every request has values of its own: make new ones (step 3) to ask again.' : null
    },
    plan({ app, prepared }) {
      if (!app || !prepared) return []
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: app.clientId,
        redirect_uri: app.redirectUri,
        scope: app.scope,
        state: prepared.state,
        code_challenge: prepared.challenge,
        code_challenge_method: 'S256',
      })
      const request = get(`${origin}/oauth/authorize?${query}`, {}, 'sent')
      return [{ request, leaves: true, code: authorizeCode({ origin, app, prepared }), curl: toCurlOfVisit(request.url) }]
    },
    learn(state, { answer }) {
      if (answer?.kind !== 'callback' || !state.prepared) return
      const query = new URL(answer.url).searchParams
      const code = query.get('code')
      // What nobody here has asked for, or another server has answered, is not used (RFC 6749 §10.12, RFC 9207 §2.4).
      if (query.get('state') !== state.prepared.state || query.get('iss') !== origin) return
      startOver(state, 'authorize')
      state.returned =
        code === null ? null : { code, url: answer.url, state: state.prepared.state, verifier: state.prepared.verifier }
      state.prepared = { ...state.prepared, used: true }
    },
    notes({ prepared }, [exchange]) {
      if (exchange?.answer?.kind !== 'callback') return []
      const query = new URL(exchange.answer.url).searchParams
      const own = query.get('state') === prepared?.state
      const here = query.get('iss') === origin
      return [
        query.has('code')
          ? good('A code: good once, for a minute, for this app, and only together with the verifier.')
          : bad(`No code, but an error: ${query.get('error_description') ?? query.get('error')}.`),
        own ? good('state is the one that was sent.') : bad('state is NOT the one that was sent: the code is not used.'),
        here ? good('iss is this server (RFC 9207).') : bad('iss is NOT this server: the code is not used.'),
      ]
    },
  },

  redeem: {
    missing: ({ returned }) => (returned ? null : 'Opens when there is a code (step 4).'),
    plan({ app, returned }) {
      if (!app || !returned) return []
      const { code, state, url: callback, verifier } = returned
      const { fields, headers } = asApp(app)
      const request = postForm(
        `${origin}/oauth/token`,
        { grant_type: 'authorization_code', code, redirect_uri: app.redirectUri, code_verifier: verifier, ...fields },
        headers,
      )
      return [{ request, code: redeemCode({ origin, app, callback, state, verifier }) }]
    },
    learn(state, exchange) {
      if (statusOf(exchange) !== 200) return
      startOver(state, 'redeem')
      state.tokens = tokensOf(exchange)
    },
    notes(_state, [exchange], before) {
      if (statusOf(exchange) !== 200) {
        const again = before.tokens
          ? 'The code has been used before. A second use may be a thief’s, so it ends what the first was given: see step 6.'
          : 'No tokens. A code lives for a minute: begin again with step 3.'
        return refused(exchange, again)
      }
      const { expires_in: seconds, id_token: idToken } = jsonOf(exchange)
      return [
        good(`access_token opens the API for ${Math.round(Number(seconds) / 60)} minutes; refresh_token gets the next one.`),
        ...(idToken ? [fact('id_token tells the app who signed in (OpenID Connect). It is signed; below is what it says.')] : []),
        fact('Sent again, this code would end everything it has given: try it, and begin again with step 3.'),
      ]
    },
    inside([exchange]) {
      const { id_token: idToken } = jsonOf(exchange)
      return typeof idToken === 'string' ? { title: 'Inside the id_token', value: readIdToken(idToken) } : null
    },
  },
}

/** @param {Exchange} exchange */
export function tokensOf(exchange) {
  const { access_token, id_token = null, refresh_token = null } = /** @type {any} */ (jsonOf(exchange))
  return { accessToken: access_token, refreshToken: refresh_token, idToken: id_token }
}

/**
 * Whatever came after this step came of what it did before.
 * @param {State} state
 * @param {ActionName} from
 */
function startOver(state, from) {
  forgetAfter(state, from)
  if (from === 'createApp') state.prepared = null
  if (from !== 'redeem') state.returned = null
  state.tokens = null
  state.spent = null
}

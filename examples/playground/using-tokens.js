/** @import { Action, App, Plan, State } from './types.ts' */
import { addRecordCode, introspectCode, recordsCode, refreshCode, revokeCode, signOutCode } from './client-code.js'
import { toCurlOfVisit } from './curl.js'
import { tokensOf } from './getting-tokens.js'
import { forgetAfter } from './memory.js'
import { randomState } from './proof.js'
import { asApp, bad, check, fact, good, refused } from './say.js'
import { get, jsonOf, postForm, postJson, statusOf } from './wire.js'

const { origin } = location
const RECORDS = `${origin}/api/records`
const NO_TOKENS = 'Opens when there are tokens (step 5).'

/** @type {{ [Name in 'records' | 'addRecord' | 'introspect' | 'revoke' | 'recordsRevoked' | 'refresh' | 'signOut']: Action }} */
export const usingTokens = {
  records: {
    missing: ({ tokens }) => (tokens ? null : NO_TOKENS),
    plan: planRecords,
    notes(_state, [exchange]) {
      const status = statusOf(exchange)
      if (status === 200) return [good('The records of the user who agreed: the token says whose they are, no cookie does.')]
      if (status === 403) return [bad('The token is good, but nobody agreed to read:records.')]
      return refused(exchange, 'This token opens nothing (any more). Begin again with step 3 to get another.')
    },
  },

  addRecord: {
    missing: ({ tokens }) => (tokens ? null : NO_TOKENS),
    plan({ tokens }, form) {
      if (!tokens) return []
      const record = String(form.get('text'))
      const { accessToken } = tokens
      const request = postJson(RECORDS, { text: record }, bearer(accessToken))
      return [{ request, code: addRecordCode({ url: RECORDS, accessToken, record }) }]
    },
    notes(_state, [exchange]) {
      if (statusOf(exchange) === 201) return [good('Added for the user, who agreed to write:records.')]
      return refused(exchange, 'Nothing was added: the answer says why.')
    },
  },

  introspect: {
    missing: ({ shown, tokens }) =>
      tokens && shown.records ? null : tokens ? 'Opens when the API was called (step 6).' : NO_TOKENS,
    plan({ app, tokens }, form) {
      const token = form.get('which') === 'refresh' ? tokens?.refreshToken : tokens?.accessToken
      return app && token ? [planIntrospect(app, token)] : []
    },
    notes(_state, [exchange]) {
      if (statusOf(exchange) === 401)
        return [bad('Only an app with a secret may ask: a public one has nothing to prove itself with (RFC 7662 §2.1).')]
      if (statusOf(exchange) !== 200) return refused(exchange, 'The answer says why.')
      return jsonOf(exchange).active
        ? [good('active: it works now. sub is the user, scope what it is for, exp when it ends.')]
        : [fact('Not active: unknown, ended or expired. Which of them is nobody’s business (RFC 7662 §2.2).')]
    },
  },

  revoke: {
    missing: ({ shown, tokens }) =>
      tokens && shown.introspect ? null : tokens ? 'Opens when a token was asked about (step 7).' : NO_TOKENS,
    plan({ app, tokens }, form) {
      const token = form.get('which') === 'refresh' ? tokens?.refreshToken : tokens?.accessToken
      if (!app || !token) return []
      const { fields, headers } = asApp(app)
      const request = postForm(`${origin}/oauth/revoke`, { token, ...fields }, headers)
      return [{ request, code: revokeCode({ origin, app, token }) }]
    },
    learn(state) {
      forgetAfter(state, 'revoke', 'recordsRevoked')
    },
    notes({ tokens }, [exchange]) {
      if (statusOf(exchange) !== 200) return refused(exchange, 'The answer says why.')
      const token = new URLSearchParams(exchange?.request?.body ?? '').get('token')
      return [
        good('200 and nothing else, as for a token that never was (RFC 7009 §2.2).'),
        token === tokens?.refreshToken
          ? fact('A refresh token takes everything of its grant along: steps 9 and 10 will be refused. Begin again with step 3.')
          : fact('Only this access token has ended. The refresh token lives, as step 9 shows.'),
      ]
    },
  },

  recordsRevoked: {
    missing: ({ shown }) => (shown.revoke ? null : 'Opens when something was revoked.'),
    plan: planRecords,
    notes(_state, [exchange]) {
      if (statusOf(exchange) === 401)
        return [good('Refused at once: the API asks the store, so nothing lives on until it expires.')]
      return refused(
        exchange,
        statusOf(exchange) === 200 ? 'It still works: something else was revoked.' : 'The answer says why.',
      )
    },
  },

  refresh: {
    missing({ shown, tokens }) {
      if (!tokens) return NO_TOKENS
      return shown.revoke ? null : 'Opens when the access token was revoked (step 8).'
    },
    plan: planRefresh,
    learn(state, exchange) {
      if (statusOf(exchange) !== 200) return
      forgetAfter(state, 'refresh', 'left')
      state.spent = null
      state.tokens = tokensAfterRefresh(state, exchange)
    },
    notes({ tokens }, [exchange], before) {
      if (statusOf(exchange) !== 200) return refused(exchange, 'The grant is over. Begin again with step 3.')
      return [
        check(tokens?.accessToken !== before.tokens?.accessToken, 'Another access token.', 'The SAME access token.'),
        check(
          tokens?.refreshToken !== before.tokens?.refreshToken,
          'Another refresh token: the old one is spent.',
          'The SAME refresh token.',
        ),
        fact('Nobody was asked: the scope is what was agreed to before.'),
      ]
    },
  },

  signOut: {
    missing: ({ tokens }) => (tokens ? null : NO_TOKENS),
    plan(state) {
      const { app, tokens } = state
      if (!app) return []
      state.logoutState = randomState()
      // An app that was never told who its user is has no ID token, and gives its name.
      const hint = tokens?.idToken ? { id_token_hint: tokens.idToken } : { client_id: app.clientId }
      const query = { ...hint, post_logout_redirect_uri: app.redirectUri, state: state.logoutState }
      const request = get(`${origin}/oauth/logout?${new URLSearchParams(query)}`, {}, 'sent')
      return [{ request, leaves: true, code: signOutCode({ origin, app, query }), curl: toCurlOfVisit(request.url) }]
    },
    learn(state) {
      state.logoutState = null
    },
    notes({ user }, [exchange]) {
      if (exchange?.answer?.kind !== 'callback') return []
      return [
        user ? fact(`You are still signed in as ${user.name}: so the host decided, with you.`) : good('Nobody is signed in.'),
        fact('Signing out ends the host’s session. The app keeps its tokens, unless you took back what it may do.'),
      ]
    },
  },
}

/** @param {State} state @returns {Plan[]} */
export function planRecords({ tokens }) {
  if (!tokens) return []
  const { accessToken } = tokens
  return [{ request: get(RECORDS, bearer(accessToken)), code: recordsCode({ url: RECORDS, accessToken }) }]
}

/** @param {App} app @param {string} token @returns {Plan} */
export function planIntrospect(app, token) {
  const { fields, headers } = asApp(app)
  const request = postForm(`${origin}/oauth/introspect`, { token, ...fields }, headers)
  return { request, code: introspectCode({ origin, app, token }) }
}

/** @param {State} state @returns {Plan[]} */
export function planRefresh({ app, tokens }) {
  return app && tokens?.refreshToken ? [refreshWith(app, tokens.refreshToken)] : []
}

/** @param {App} app @param {string} refreshToken @returns {Plan} */
export function refreshWith(app, refreshToken) {
  const { fields, headers } = asApp(app)
  const all = { grant_type: 'refresh_token', refresh_token: refreshToken, ...fields }
  return { request: postForm(`${origin}/oauth/token`, all, headers), code: refreshCode({ origin, app, refreshToken }) }
}

/**
 * A refresh may go without an ID token (OpenID Connect Core §12.2): the one there was is as good a hint as ever.
 * @param {State} state @param {import('./types.ts').Exchange} exchange
 */
export function tokensAfterRefresh({ tokens }, exchange) {
  const refreshed = tokensOf(exchange)
  return { ...refreshed, idToken: refreshed.idToken ?? tokens?.idToken ?? null }
}

/** @param {string} accessToken */
function bearer(accessToken) {
  return { authorization: `Bearer ${accessToken}` }
}

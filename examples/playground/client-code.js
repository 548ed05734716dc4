/** @import { App, Prepared } from './types.ts' */

/*
 * What an app would write, one program for each step: `node step.mjs`, with `npm install oauth4webapi` beside it.
 * The values are those of this tab; a real app has its secret from its settings.
 */

/** @param {{ origin: string, name: string, password: string }} values */
export function signInCode({ name, origin, password }) {
  return `// Not OAuth: the host's own login, and its own session cookie.
${login({ name, origin, password })}
console.log(signedIn.status, cookie)`
}

/** @param {{ origin: string, user: string, app: object }} values */
export function createAppCode({ app, origin, user }) {
  return `// The management API takes the host's own login.
${login({ name: user, origin, password: `${user}-demo` })}
const answer = await fetch(${text(`${origin}/oauth-clients`)}, {
  method: 'POST',
  headers: { cookie, 'content-type': 'application/json' },
  body: JSON.stringify(${JSON.stringify(app, null, 2).replaceAll('\n', '\n  ')}),
})
console.log(answer.status, await answer.json())`
}

export const PREPARE_CODE = `import * as oauth from 'oauth4webapi'

const verifier = oauth.generateRandomCodeVerifier()
const challenge = await oauth.calculatePKCECodeChallenge(verifier)
const state = oauth.generateRandomState()
console.log({ verifier, challenge, state })`

/** @param {{ origin: string, app: App, prepared: Prepared }} values */
export function authorizeCode({ app, origin, prepared }) {
  return `${setUp(origin, app)}
const url = new URL(server.authorization_endpoint)
url.search = new URLSearchParams({
  response_type: 'code',
  client_id: client.client_id,
  redirect_uri: ${text(app.redirectUri)},
  scope: ${text(app.scope)},
  state: ${text(prepared.state)},
  code_challenge: ${text(prepared.challenge)},
  code_challenge_method: 'S256',
})
// Keep state and verifier for this browser, and send it to
console.log(url.href)`
}

/** @param {{ origin: string, app: App, callback: string, state: string, verifier: string }} values */
export function redeemCode({ app, callback, origin, state, verifier }) {
  return `${setUp(origin, app)}
// Refuses an answer with another state, or from another server (iss).
const callback = new URL(${text(callback)})
const answer = oauth.validateAuthResponse(server, client, callback, ${text(state)})

const tokens = await oauth.processAuthorizationCodeResponse(
  server,
  client,
  await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authentication,
    answer,
    ${text(app.redirectUri)},
    ${text(verifier)},
    options,
  ),
)
console.log(tokens)`
}

/** @param {{ url: string, accessToken: string }} values */
export function recordsCode({ accessToken, url }) {
  return `const answer = await fetch(${text(url)}, {
  headers: { authorization: ${text(`Bearer ${accessToken}`)} },
})
console.log(answer.status, await answer.json())`
}

/** @param {{ url: string, accessToken: string, record: string }} values */
export function addRecordCode({ accessToken, record, url }) {
  return `const answer = await fetch(${text(url)}, {
  method: 'POST',
  headers: {
    authorization: ${text(`Bearer ${accessToken}`)},
    'content-type': 'application/json',
  },
  body: JSON.stringify({ text: ${text(record)} }),
})
console.log(answer.status, await answer.json())`
}

/** @param {{ origin: string, app: App, token: string }} values */
export function introspectCode({ app, origin, token }) {
  return `${setUp(origin, app)}
const said = await oauth.processIntrospectionResponse(
  server,
  client,
  await oauth.introspectionRequest(server, client, authentication, ${text(token)}, options),
)
console.log(said)`
}

/** @param {{ origin: string, app: App, token: string }} values */
export function revokeCode({ app, origin, token }) {
  return `${setUp(origin, app)}
await oauth.processRevocationResponse(
  await oauth.revocationRequest(server, client, authentication, ${text(token)}, options),
)
console.log('it has ended')`
}

/** @param {{ origin: string, app: App, refreshToken: string }} values */
export function refreshCode({ app, origin, refreshToken }) {
  return `${setUp(origin, app)}
const tokens = await oauth.processRefreshTokenResponse(
  server,
  client,
  await oauth.refreshTokenGrantRequest(server, client, authentication, ${text(refreshToken)}, options),
)
// Keep the new refresh token before anything else: the old one is spent.
console.log(tokens)`
}

/** @param {{ origin: string, app: App, query: Record<string, string> }} values */
export function signOutCode({ app, origin, query }) {
  const fields = Object.entries(query).map(([name, value]) => `  ${name}: ${text(value)},\n`)
  return `${setUp(origin, app)}
const url = new URL(server.end_session_endpoint)
url.search = new URLSearchParams({
${fields.join('')}})
// Forget the app's own session, and send the browser to
console.log(url.href)`
}

/** @param {{ origin: string, name: string, password: string }} values */
function login({ name, origin, password }) {
  return `const signedIn = await fetch(${text(`${origin}/login`)}, {
  method: 'POST',
  redirect: 'manual',
  body: new URLSearchParams({ name: ${text(name)}, password: ${text(password)} }),
})
const cookie = signedIn.headers.getSetCookie()[0]?.split(';')[0]
`
}

/**
 * What every use of the library begins with.
 * @param {string} origin
 * @param {App} app
 */
function setUp(origin, { clientId, clientSecret }) {
  const authentication = clientSecret === null ? 'oauth.None()' : `oauth.ClientSecretBasic(${text(clientSecret)})`
  return `import * as oauth from 'oauth4webapi'

const options = { [oauth.allowInsecureRequests]: true } // plain http: on this machine only
const issuer = new URL(${text(origin)})
const discovered = await oauth.discoveryRequest(issuer, options)
const server = await oauth.processDiscoveryResponse(issuer, discovered)
const client = { client_id: ${text(clientId)} }
const authentication = ${authentication}
`
}

/** @param {string} value */
function text(value) {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
}

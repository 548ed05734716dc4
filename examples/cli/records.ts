/**
 * A command-line tool that calls the API of the example host for its user: `npm start` in one terminal, and in another
 * `npx tsx examples/cli/records.ts login`, then `list`, `add <text>` and `logout`.
 *
 * `login` shows a code, which the user types in any browser, on any device. `login --browser` is for a tool on the user's own
 * computer: the browser comes back to it on a port of this machine (RFC 8252 §7.3).
 */
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as oauth from 'openid-client'

const SERVER = process.env.RECORDS_URL ?? 'http://localhost:3000'
const FOLDER = process.env.RECORDS_HOME ?? join(homedir(), '.records')
const FILE = join(FOLDER, 'session.json')
const SCOPE = 'read:records write:records'

interface Session {
  readonly accessToken: string
  readonly refreshToken: string
  /** In milliseconds since 1970. */
  readonly expiresAt: number
}

async function discover(): Promise<oauth.Configuration> {
  // The example speaks plain http on this machine, which the library takes only when told to.
  const execute = SERVER.startsWith('http:') ? [oauth.allowInsecureRequests] : []
  return oauth.discovery(new URL(SERVER), 'records-cli', undefined, oauth.None(), { algorithm: 'oauth2', execute })
}

/** Asks the user to type a code, and waits for the answer (RFC 8628). */
async function loginByCode(config: oauth.Configuration): Promise<oauth.TokenEndpointResponse> {
  const begun = await oauth.initiateDeviceAuthorization(config, { scope: SCOPE })
  console.log(`Open ${begun.verification_uri} and type the code ${begun.user_code}`)
  console.log(`or open ${begun.verification_uri_complete}`)
  return oauth.pollDeviceAuthorizationGrant(config, begun)
}

/** Waits for the user's browser on a port of this machine. */
async function loginByBrowser(config: oauth.Configuration): Promise<oauth.TokenEndpointResponse> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const redirectUri = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/callback`
  const pkceCodeVerifier = oauth.randomPKCECodeVerifier()
  const expectedState = oauth.randomState()
  const url = oauth.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: SCOPE,
    state: expectedState,
    code_challenge: await oauth.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  console.log(`Open ${url.href}`)
  try {
    for (;;) {
      const [request, response] = await once(server, 'request')
      const back = new URL(request.url, redirectUri)
      // Browsers also ask for an icon.
      if (back.pathname !== '/callback') {
        response.writeHead(404).end()
        continue
      }
      response.writeHead(200, { 'content-type': 'text/plain' }).end('You can close this page and go back to the terminal.\n')
      return await oauth.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState })
    }
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

/** Keeps the tokens where only this user of the machine can read them. */
async function keep(tokens: oauth.TokenEndpointResponse): Promise<Session> {
  const session = {
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? '',
    expiresAt: Date.now() + (tokens.expires_in ?? 0) * 1000,
  }
  await mkdir(FOLDER, { recursive: true, mode: 0o700 })
  await writeFile(FILE, JSON.stringify(session), { mode: 0o600 })
  return session
}

async function read(): Promise<Session> {
  const text = await readFile(FILE, 'utf8').catch(() => undefined)
  if (text === undefined) throw new Error('You are not signed in: run login first.')
  return JSON.parse(text)
}

/** Calls the API, with a new access token where the old one has expired or is about to. */
async function call(method: string, body?: object): Promise<unknown> {
  const config = await discover()
  let session = await read()
  if (session.expiresAt < Date.now() + 10_000) session = await keep(await oauth.refreshTokenGrant(config, session.refreshToken))
  const headers = new Headers({ 'content-type': 'application/json' })
  const url = new URL('/api/records', SERVER)
  const text = body && JSON.stringify(body)
  const response = await oauth.fetchProtectedResource(config, session.accessToken, url, method, text, headers)
  return response.json()
}

const [command, ...words] = process.argv.slice(2)
try {
  switch (command) {
    case 'login': {
      const config = await discover()
      await keep(await (words.includes('--browser') ? loginByBrowser(config) : loginByCode(config)))
      console.log('You are signed in.')
      break
    }
    case 'list':
      console.log(JSON.stringify(await call('GET')))
      break
    case 'add':
      await call('POST', { text: words.join(' ') })
      console.log('Added.')
      break
    case 'logout': {
      const { refreshToken } = await read()
      // Ends every token of this sign-in. Only then is it forgotten here.
      await oauth.tokenRevocation(await discover(), refreshToken)
      await rm(FILE)
      console.log('You are signed out.')
      break
    }
    default:
      throw new Error('Commands: login, login --browser, list, add <text>, logout')
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

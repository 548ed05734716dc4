import { createHash } from 'node:crypto'
import type { Authmount, AuthmountEvent, NewApp, Store } from 'authmount'
import type { Clock } from './clock.ts'
import { assertDescribed } from './described.ts'

export const REDIRECT_URI = 'https://app.example/cb'
export const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

export interface TestApp {
  readonly clientId: string
  readonly clientSecret: string | null
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; {} where it is none. */
  readonly body: Record<string, unknown>
  /** The Location header, parsed; its search parameters by name. */
  readonly location: URL | undefined
  readonly params: Readonly<Record<string, string>>
}

export type Fields = Readonly<Record<string, string | undefined>>

interface Parts {
  readonly url: string
  readonly authmount: Authmount
  readonly store: Store
  readonly clock: Clock
  readonly events: AuthmountEvent[]
  readonly logged: unknown[]
}

/** Talks to one host over HTTP, as an app and as its user's browser. */
export class TestClient implements Parts {
  readonly url: string
  readonly authmount: Authmount
  readonly store: Store
  readonly clock: Clock
  readonly events: AuthmountEvent[]
  readonly logged: unknown[]

  constructor(parts: Parts) {
    this.url = parts.url
    this.authmount = parts.authmount
    this.store = parts.store
    this.clock = parts.clock
    this.events = parts.events
    this.logged = parts.logged
  }

  confidentialApp(fields: Partial<NewApp> = {}): Promise<TestApp> {
    return this.authmount.registerApp(
      { name: 'Confidential', redirectUris: [REDIRECT_URI], allowedScopes: ['read:records', 'write:records'], ...fields },
      { orgId: 'org-1', userId: 'anna' },
    )
  }

  publicApp(fields: Partial<NewApp> = {}): Promise<TestApp> {
    return this.confidentialApp({ name: 'Public', isConfidential: false, ...fields })
  }

  /** One request, no redirects followed, with no credential but what is given. */
  async send(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(new URL(path, this.url), { redirect: 'manual', ...init })
    const text = await response.text()
    assertDescribed(this.authmount, init.method ?? 'GET', response, text)
    const location = response.headers.get('location')
    const url = location === null ? undefined : new URL(location, this.url)
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: text && response.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(text) : {},
      location: url,
      params: Object.fromEntries(url?.searchParams ?? []),
    }
  }

  /** As a user's browser: with the cookie of their session. */
  browse(path: string, user: string | null, init: RequestInit = {}): Promise<Answer> {
    return this.send(path, { ...init, headers: { ...(user === null ? {} : { cookie: `session=${user}` }), ...init.headers } })
  }

  /** GET /oauth/authorize with everything in order but for `fields`. */
  authorize(app: TestApp, fields: Fields = {}, user: string | null = 'anna'): Promise<Answer> {
    return this.browse(`${this.authmount.mountPath}/oauth/authorize?${this.authorizeQuery(app, fields)}`, user)
  }

  authorizeQuery(app: TestApp, fields: Fields = {}): URLSearchParams {
    return defined({
      response_type: 'code',
      client_id: app.clientId,
      redirect_uri: REDIRECT_URI,
      scope: 'read:records',
      state: 'state-1',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      ...fields,
    })
  }

  /** POST /oauth/par with everything in order but for `fields`. */
  push(app: TestApp, fields: Fields = {}, init: RequestInit = {}): Promise<Answer> {
    return this.post('/oauth/par', app, { ...Object.fromEntries(this.authorizeQuery(app)), ...fields }, init)
  }

  /** Pushes a request, and returns what a browser takes to the authorization endpoint. */
  async pushed(app: TestApp, fields: Fields = {}): Promise<Fields> {
    const { body, status, text } = await this.push(app, fields)
    if (status !== 201) throw new Error(`not pushed: ${status} ${text}`)
    return { client_id: app.clientId, request_uri: String(body.request_uri) }
  }

  /** GET /oauth/authorize with these parameters and no others. */
  open(query: Fields, user: string | null = 'anna', init: RequestInit = {}): Promise<Answer> {
    return this.browse(`${this.authmount.mountPath}/oauth/authorize?${defined(query)}`, user, init)
  }

  /** Answers the consent screen to which an authorize answer redirected. */
  decide(
    screen: Answer,
    consent: 'granted' | 'denied' = 'granted',
    user: string | null = 'anna',
    fields: Fields = {},
  ): Promise<Answer> {
    const consentId = screen.params.consent_id
    return this.browse(`${this.authmount.mountPath}/oauth/authorize`, user, {
      method: 'POST',
      body: defined({ consent_id: consentId, consent, ...fields }),
    })
  }

  /** The whole way to a code: authorize, and agree if asked. */
  async approve(app: TestApp, fields: Fields = {}, user = 'anna'): Promise<string> {
    const screen = await this.authorize(app, fields, user)
    const { params } = screen.params.consent_id === undefined ? screen : await this.decide(screen, 'granted', user)
    if (!params.code) throw new Error(`no code: ${JSON.stringify(params)} ${screen.status} ${screen.text}`)
    return params.code
  }

  /** POST with the app's credentials in the body. */
  post(path: string, app: TestApp, fields: Fields, init: RequestInit = {}): Promise<Answer> {
    const body = defined({ client_id: app.clientId, client_secret: app.clientSecret ?? undefined, ...fields })
    return this.send(`${this.authmount.mountPath}${path}`, { method: 'POST', body, ...init })
  }

  redeem(app: TestApp, code: string, fields: Fields = {}): Promise<Answer> {
    return this.post('/oauth/token', app, {
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT_URI,
      code_verifier: VERIFIER,
      ...fields,
    })
  }

  refresh(app: TestApp, refreshToken: unknown, fields: Fields = {}): Promise<Answer> {
    return this.post('/oauth/token', app, { grant_type: 'refresh_token', refresh_token: String(refreshToken), ...fields })
  }

  clientCredentials(app: TestApp, fields: Fields = {}): Promise<Answer> {
    return this.post('/oauth/token', app, { grant_type: 'client_credentials', ...fields })
  }

  /** Tokens for a user, from authorize to exchange. */
  async tokens(app: TestApp, fields: Fields = {}, user = 'anna'): Promise<{ readonly access: string; readonly refresh: string }> {
    const { body } = await this.redeem(app, await this.approve(app, fields, user), {
      redirect_uri: fields.redirect_uri ?? REDIRECT_URI,
    })
    return { access: String(body.access_token), refresh: String(body.refresh_token) }
  }

  async isActive(app: TestApp, token: unknown): Promise<boolean> {
    const { body } = await this.post('/oauth/introspect', app, { token: String(token) })
    return body.active === true
  }

  /** The status of a guarded route of the host for a token. */
  async records(token: unknown): Promise<number> {
    return (await this.send('/records', { headers: { authorization: `Bearer ${token}` } })).status
  }
}

/** Form fields without those that are undefined. */
export function defined(fields: Fields): URLSearchParams {
  return new URLSearchParams(Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined))
}

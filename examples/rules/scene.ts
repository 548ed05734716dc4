import { createHash, randomBytes } from 'node:crypto'
import { browse, printed } from '../host/printed.ts'
import { sessionCookie, signIn } from '../host/users.ts'
import type { RuledHost } from './host.ts'

/** The answer of the token endpoint. */
export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly scope: string
  readonly expires_in: number
}

/** A part of the demo: it says in one line what it shows, and shows it. */
export interface Chapter {
  readonly title: string
  run(host: RuledHost): Promise<void>
}

/** Lets a user sign in at the host and allow what the app asks for, and resolves to the app's tokens. */
export async function connect(
  host: RuledHost,
  user: 'anna' | 'bert',
  asked: Readonly<Record<string, string>> = {},
): Promise<Tokens> {
  const { app, origin } = host
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: app.clientId,
    redirect_uri: `${origin}/callback`,
    scope: 'read:records write:records',
    state: randomBytes(8).toString('hex'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...asked,
  })
  const headers = { cookie: sessionCookie(signIn(user, `${user}-demo`) ?? '').split(';')[0] ?? '' }
  const url = new URL(`/oauth/authorize?${query}`, origin)
  const screen = await browse(url, { headers })
  const consent = { consent_id: screen.searchParams.get('consent_id') ?? '', consent: 'granted' }
  const answer = screen.searchParams.has('code')
    ? screen
    : await browse(new URL('/oauth/authorize', origin), { method: 'POST', headers, body: new URLSearchParams(consent) })
  const code = answer.searchParams.get('code') ?? ''
  const grant = { grant_type: 'authorization_code', code, redirect_uri: `${origin}/callback`, code_verifier: verifier }
  return (await token(host, grant)).json() as Promise<Tokens>
}

/** One request of the app at the token endpoint. */
export function token({ app, origin }: RuledHost, fields: Readonly<Record<string, string>>): Promise<Response> {
  const credentials = { client_id: app.clientId, client_secret: app.clientSecret ?? '' }
  return printed(new URL('/oauth/token', origin), { method: 'POST', body: new URLSearchParams({ ...fields, ...credentials }) })
}

export function refresh(host: RuledHost, { refresh_token }: Tokens): Promise<Response> {
  return token(host, { grant_type: 'refresh_token', refresh_token })
}

/** Calls the host's API, which answers what it reads in the token. */
export function who({ origin }: RuledHost, { access_token }: Tokens): Promise<Response> {
  return printed(new URL('/who', origin), { headers: { authorization: `Bearer ${access_token}` } })
}

export function expect(fact: boolean, words: string): void {
  if (!fact) throw new Error(words)
}

import { mayRunInPage } from '../clients/client-facts.ts'
import { findClient } from '../clients/find-client.ts'
import { allowPreflight } from '../http/preflight.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import { tokenRef } from '../tokens/token-ref.ts'

/** Which pages of another origin may read a route's answers: all, or those of the app that asks. */
export type Cors = 'any' | 'app'

/** Answers a preflight. It allows the request itself; `withCors` decides whether the page may read the answer. */
export function preflight(request: HttpRequest, cors: Cors, methods: string): HttpResponse {
  return allowPreflight(request.headers, cors === 'any' ? '*' : pageOrigin(request), methods)
}

/** Adds the headers that let a page read a response. Never allows credentials: none of these routes reads a cookie. */
export async function withCors(
  request: HttpRequest,
  response: HttpResponse,
  cors: Cors,
  context: Context,
): Promise<HttpResponse> {
  if (cors === 'any') return { ...response, headers: { ...response.headers, 'access-control-allow-origin': '*' } }
  const headers: Record<string, string> = { ...response.headers, vary: 'origin' }
  const origin = pageOrigin(request)
  if (origin !== undefined && (await isOriginOfApp(origin, request, context))) {
    headers['access-control-allow-origin'] = origin
    headers['access-control-expose-headers'] = 'www-authenticate, retry-after, dpop-nonce'
  }
  return { ...response, headers }
}

/** Tells whether the app that asks is a public one with a redirect URI at this origin, or that is allowed there. The body or the token names the app. */
async function isOriginOfApp(origin: string, { body, headers }: HttpRequest, { store }: Context): Promise<boolean> {
  const named = body.kind === 'form' ? body.form.get('client_id') : body.kind === 'json' ? jsonClientId(body.json) : null
  const posted = body.kind === 'form' ? body.form.get('access_token') : null
  const appId = posted ? tokenRef(posted)?.appId : appOfToken(headers.authorization)
  const found = named ? findClient(named, store) : appId === undefined ? undefined : store.apps.get(appId)
  const app = await found?.catch(() => undefined)
  return (
    app !== undefined &&
    mayRunInPage(app) &&
    (app.redirectUris.some(uri => uri.startsWith('http') && new URL(uri).origin === origin) ||
      app.allowedOrigins?.includes(origin) === true)
  )
}

function appOfToken(authorization = ''): string | undefined {
  const token = /^(?:bearer|dpop) +(\S+)$/i.exec(authorization)?.[1]
  return token === undefined ? undefined : tokenRef(token)?.appId
}

function jsonClientId(json: unknown): string | null {
  const clientId = typeof json === 'object' && json !== null && 'client_id' in json ? json.client_id : null
  return typeof clientId === 'string' ? clientId : null
}

/** Reads the origin of the page. Sandboxed pages and local files send `null`, which names no origin. */
function pageOrigin(request: HttpRequest): string | undefined {
  const { origin } = request.headers
  return origin === undefined || origin === 'null' ? undefined : origin
}

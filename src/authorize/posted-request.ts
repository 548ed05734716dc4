import { OAuthError } from '../errors/oauth-error.ts'
import { redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import { queryOf } from './login.ts'
import { countAnyone, keepRequest } from './pushed-request.ts'
import { type RequestSource, readAuthorizationRequest, requestSource } from './request.ts'

/**
 * The longest query to which a posted request is redirected, in characters: with a login between, it is encoded twice, and
 * servers and proxies refuse headers of more than 8 to 16 KiB.
 */
const MAX_QUERY_CHARS = 3000

/** Tells whether a POST is an authorization request (OpenID Connect Core §3.1.2.1), and not the answer to one. */
export function isAuthorizationRequest({ body, query }: HttpRequest): boolean {
  if (body.kind !== 'form' || query.size > 0) return false
  const { form } = body
  const asks = form.has('response_type') || form.has('client_id')
  return asks && !form.has('consent') && !form.has('consent_id')
}

/**
 * Redirects a posted authorization request to the same request by GET: a browser that was sent here by another site sends its
 * `SameSite=Lax` cookies with that one alone. Where it is too long for a URL, it is stored as a pushed request is.
 */
export async function toGet(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const source = requestSource(request.body.kind === 'form' ? request.body.form : [])
  const query = `${queryOf(source)}`
  const path = `${context.config.mountPath}/oauth/authorize`
  return redirect(303, `${path}?${query.length > MAX_QUERY_CHARS ? await keep(source, request, context) : query}`)
}

/** Stores a request, and returns the query that refers to it. An error of it is shown here: nobody may be signed in. */
async function keep(source: RequestSource, { ip }: HttpRequest, context: Context): Promise<URLSearchParams> {
  const asked = await readAuthorizationRequest(source, context, { mayRead: false }).catch(error => {
    throw error instanceof OAuthError ? new OAuthError(error.code, error.description, { status: 400 }) : error
  })
  await countAnyone(asked.app, ip, context)
  const requestUri = await keepRequest(asked, 'browser', context)
  return new URLSearchParams({ client_id: asked.params.get('client_id') ?? '', request_uri: requestUri })
}

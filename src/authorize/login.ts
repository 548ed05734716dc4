import { sha256 } from '../base/crypto.ts'
import { sessionName } from '../base/session.ts'
import { TargetedError } from '../errors/oauth-error.ts'
import { redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import { readIdTokenHint } from '../oidc/id-token-hint.ts'
import type { Context } from '../options/context.ts'
import type { Principal } from '../options/principal.ts'
import { isNavigation } from '../pages/onward-page.ts'
import { type LoginProof, makeLoginProof, readLoginProof, spendLoginProof } from './login-proof.ts'
import { type AuthorizationRequest, type Pushed, type RequestSource, requestJson } from './request.ts'

/** The parameter with which a browser proves that it was sent to the login for this very request. */
export const LOGIN_PROOF = 'login_proof'

/** The parameter by which a browser shows that it comes from the host's login, perhaps from its form. */
const AFTER_LOGIN = 'after_login'

/** How a browser with this request goes on to an app: by a page where it may come from the form of the host's login. */
export function wayOn(request: HttpRequest): 'redirect' | 'page' {
  return request.method === 'GET' && request.query.has(AFTER_LOGIN) && isNavigation(request) ? 'page' : 'redirect'
}

/** Parameters that are passed on to the host's login unchanged (OpenID Connect Core §3.1.2.1). */
const HINTS = ['login_hint', 'ui_locales', 'acr_values', 'max_age', 'display'] as const

/** Redirects a browser to the host's login, which sends it back to `path`. */
export function toLogin({ config }: Context, path: string, query: URLSearchParams): HttpResponse {
  return redirect(302, withParams(config.loginUrl, { returnTo: `${config.mountPath}${path}?${query}` }))
}

/**
 * Decides whether the user must go through the host's login (again) before this request can go on: because nobody is signed
 * in, because the client asks for it (`prompt`, `max_age`), or because it expects another user (`id_token_hint`, `claims`).
 * Rejects with TargetedError `login_required` if the client forbids a login page, or another user came back from it.
 */
export async function needsLogin(asked: AuthorizationRequest, proof: string | null, context: Context): Promise<boolean> {
  const { now, principal } = context
  if (!principal) {
    if (asked.prompt.has('none')) throw loginRequired(asked)
    return true
  }
  const expected = await expectedUser(asked, context)
  const stranger = expected !== null && expected !== principal.userId
  const age = principal.authTime === undefined ? Number.POSITIVE_INFINITY : now - principal.authTime
  const stale = asked.maxAgeSeconds !== null && age > asked.maxAgeSeconds * 1000
  const wanted = asked.prompt.has('login') || asked.prompt.has('select_account')
  if (!stranger && !stale && !wanted) return false
  if (asked.prompt.has('none')) throw loginRequired(asked)

  const found = await proofOf(asked, proof, context)
  if (!found) return true
  if (stranger) throw new TargetedError(asked, 'login_required', 'the signed-in user is not the one the request expects')
  // Core §3.1.2.1: a user who comes back without having signed in again is an error, not another round.
  if ((asked.prompt.has('login') || stale) && !isFresh(principal, found.sent, asked))
    throw new TargetedError(asked, 'login_required', 'the user came back from the login without signing in again')
  return !(await spendLoginProof(found, context))
}

function loginRequired(asked: AuthorizationRequest): TargetedError {
  return new TargetedError(asked, 'login_required', 'the user must sign in, and the request does not allow it to ask')
}

/** Tells whether the user signed in after being sent to the login. A host that reports neither `authTime` nor `sessionId` is trusted. */
function isFresh(
  { authTime, sessionId }: Principal,
  { sentAt, session }: LoginProof['sent'],
  { maxAgeSeconds }: AuthorizationRequest,
): boolean {
  if (authTime !== undefined) return authTime >= Math.floor(sentAt / 1000) * 1000
  // Core §2: with max_age the ID token must have auth_time, and this host does not report it.
  if (maxAgeSeconds !== null) return false
  return session === null || sessionId === undefined || session !== sessionName(sessionId)
}

/** Returns the query with which a browser comes back from the host's login to this request. */
export function afterLogin(source: SourceInUrl): URLSearchParams {
  const back = queryOf(source)
  back.set(AFTER_LOGIN, '1')
  return back
}

type SourceInUrl = Pick<RequestSource, 'params'> & { readonly pushed?: Pushed | null; readonly repeated?: readonly string[] }

/** Returns the query of the URL that leads to this request. */
export function queryOf({ params, pushed, repeated = [] }: SourceInUrl): URLSearchParams {
  const query = new URLSearchParams(requestJson({ params: pushed?.url ?? params }))
  // What was given twice stays so: a faulty request must not become a good one on the way.
  const [twice] = repeated
  if (twice !== undefined)
    for (let times = query.has(twice) ? 1 : 2; times > 0; times--) query.append(twice, query.get(twice) ?? '')
  return query
}

/** Redirects to the host's login with the hints of the request, and with a proof for the way back that the browser was sent there. */
export async function toNewLogin(
  asked: AuthorizationRequest,
  { ip }: Pick<HttpRequest, 'ip'>,
  context: Context,
): Promise<HttpResponse> {
  const { config, now } = context
  const wanted = [...asked.prompt].filter(prompt => prompt === 'login' || prompt === 'select_account')
  const back = afterLogin(asked)
  if (wanted.length > 0 || asked.maxAgeSeconds !== null || asked.idTokenHint !== null || asked.claims.sub !== null) {
    const session = sessionName(context.principal?.sessionId)
    back.set(LOGIN_PROOF, await makeLoginProof({ request: fingerprint(asked), sentAt: now, session }, ip, context))
  }
  const hints = HINTS.map(name => [name, asked.params.get(name) ?? null] as const)
  return redirect(
    302,
    withParams(config.loginUrl, {
      returnTo: `${config.mountPath}/oauth/authorize?${back}`,
      prompt: wanted.join(' ') || null,
      ...Object.fromEntries(hints),
    }),
  )
}

/** Finds the proof that this very request was sent to the login; undefined if it was not. */
async function proofOf(asked: AuthorizationRequest, proof: string | null, context: Context): Promise<LoginProof | undefined> {
  const found = proof ? await readLoginProof(proof, context) : undefined
  return found?.sent.request === fingerprint(asked) ? found : undefined
}

/** Returns a digest of all parameters of the request. */
function fingerprint(asked: AuthorizationRequest): string {
  return sha256(JSON.stringify(Object.entries(requestJson(asked)).toSorted()))
}

/** Returns the user that the client expects: the subject of its hint, or of its `claims`. Null if it expects none. Rejects with TargetedError. */
export async function expectedUser(asked: AuthorizationRequest, context: Context): Promise<string | null> {
  const { claims, idTokenHint } = asked
  if (idTokenHint === null || !context.services.keys) return claims.sub
  const hint = await readIdTokenHint(idTokenHint, context)
  // A hint that cannot be verified proves nothing. With prompt=none nobody would notice that it was ignored.
  if (hint === 'unknown key') {
    if (asked.prompt.has('none'))
      throw new TargetedError(asked, 'login_required', 'id_token_hint is too old to say who is expected')
    return claims.sub
  }
  if (hint === 'invalid') throw new TargetedError(asked, 'invalid_request', 'id_token_hint is not an ID token of this server')
  if (claims.sub !== null && claims.sub !== hint.userId)
    throw new TargetedError(asked, 'invalid_request', 'id_token_hint and claims name different users')
  return hint.userId
}

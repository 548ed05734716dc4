import { jwtVerify } from 'jose'
import type { Context } from '../context.ts'
import { randomId, sha256 } from '../crypto.ts'
import { TargetedError } from '../errors/oauth-error.ts'
import { redirect } from '../http/reply.ts'
import type { HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { EpochMs } from '../store.ts'
import { type AuthorizeRequest, authorizeParams } from './authorize-request.ts'

/** Long enough to find a password or a phone. */
const LOGIN_MS = 600_000

/** What a host's login may want to know; handed on as it was asked (OpenID Connect Core §3.1.2.1). */
const HINTS = ['login_hint', 'ui_locales', 'acr_values', 'max_age', 'display'] as const

/** Sends a browser to the host's login, to come back to where it was. */
export function toLogin({ config }: Context, path: string, query: URLSearchParams): HttpResponse {
  return redirect(302, withParams(config.loginUrl, { returnTo: `${config.mountPath}${path}?${query}` }))
}

/**
 * Whether the user must go through the host's login (again) before this request can go on: because nobody is signed in,
 * because the client asks for it (`prompt`, `max_age`), or because it expects someone else (`id_token_hint`, `claims`).
 * Throws TargetedError `login_required` where the client wants no login, or where even a new one brought someone else.
 */
export async function needsLogin(asked: AuthorizeRequest, query: URLSearchParams, context: Context): Promise<boolean> {
  const { now, principal } = context
  const required = new TargetedError(asked, 'login_required', 'the user must sign in, and the request does not allow it to ask')
  if (!principal) {
    if (asked.prompt.has('none')) throw required
    return true
  }
  const expected = await expectedUser(asked, context)
  const stranger = expected !== null && expected !== principal.userId
  const age = principal.authTime === undefined ? Number.POSITIVE_INFINITY : now - principal.authTime
  const stale = asked.maxAgeSeconds !== null && age > asked.maxAgeSeconds * 1000
  const wanted = asked.prompt.has('login') || asked.prompt.has('select_account')
  if (!stranger && !stale && !wanted) return false
  if (asked.prompt.has('none')) throw required

  const sentAt = await sentToLogin(query, context)
  if (sentAt === undefined) return true
  if (stranger) throw new TargetedError(asked, 'login_required', 'somebody else is signed in than the request expects')
  // A host that does not say when a user signed in is believed to have asked.
  const since = principal.authTime ?? Number.POSITIVE_INFINITY
  return (asked.prompt.has('login') || stale) && since < Math.floor(sentAt / 1000) * 1000
}

/** To the host's login, with what it may want to know, and with proof that the browser has been there when it comes back. */
export async function toNewLogin(asked: AuthorizeRequest, query: URLSearchParams, context: Context): Promise<HttpResponse> {
  const { config, now, store } = context
  const wanted = [...asked.prompt].filter(prompt => prompt === 'login' || prompt === 'select_account')
  const back = withoutProof(query)
  if (wanted.length > 0 || asked.maxAgeSeconds !== null || asked.idTokenHint !== null || asked.claims.sub !== null) {
    const proof = randomId(16)
    const data = { request: fingerprint(back), sentAt: now }
    await store.oneTime.put({ kind: 'login', id: sha256(proof), expiresAt: now + LOGIN_MS, data })
    back.set('login_proof', proof)
  }
  const hints = HINTS.map(name => [name, query.get(name)] as const)
  return redirect(
    302,
    withParams(config.loginUrl, {
      returnTo: `${config.mountPath}/oauth/authorize?${back}`,
      prompt: wanted.join(' ') || null,
      ...Object.fromEntries(hints),
    }),
  )
}

/**
 * When the user proved who they are: as the host says, or, where it does not and the client asked for `max_age` (which
 * makes `auth_time` a MUST, OpenID Connect Core §2), when they were sent to do so. null: nobody knows.
 */
export async function authTimeOf(asked: AuthorizeRequest, query: URLSearchParams, context: Context): Promise<EpochMs | null> {
  const said = context.principal?.authTime
  if (said !== undefined || asked.maxAgeSeconds === null) return said ?? null
  return (await sentToLogin(query, context)) ?? null
}

/** When this very request was last sent to the login; undefined if it was not. */
async function sentToLogin(query: URLSearchParams, { store }: Context): Promise<EpochMs | undefined> {
  const proof = query.get('login_proof')
  if (!proof) return undefined
  const entry = await store.oneTime.peek('login', sha256(proof))
  return entry?.data.request === fingerprint(query) ? entry.data.sentAt : undefined
}

/** Of all that the request says. */
function fingerprint(query: URLSearchParams): string {
  return sha256(JSON.stringify(authorizeParams(withoutProof(query))))
}

function withoutProof(query: URLSearchParams): URLSearchParams {
  const rest = new URLSearchParams(query)
  rest.delete('login_proof')
  return rest
}

/** Whom the client expects: the subject of its hint, or of its `claims`. An expired hint is still a hint. */
async function expectedUser(asked: AuthorizeRequest, { config, now, store }: Context): Promise<string | null> {
  const { claims, idTokenHint } = asked
  if (idTokenHint === null || !config.keys) return claims.sub
  const { published } = await config.keys.current(store.keys, now)
  const verified = await jwtVerify(
    idTokenHint,
    ({ kid }) => {
      const key = published.find(key => key.kid === kid)
      if (!key) throw new Error('unknown key')
      return key.publicKey
    },
    { issuer: config.issuer, currentDate: new Date(0) },
  ).catch(() => undefined)
  const hinted = verified?.payload.sub
  if (hinted === undefined) throw new TargetedError(asked, 'invalid_request', 'id_token_hint is not an ID token of this server')
  if (claims.sub !== null && claims.sub !== hinted)
    throw new TargetedError(asked, 'invalid_request', 'id_token_hint and claims name different users')
  return hinted
}

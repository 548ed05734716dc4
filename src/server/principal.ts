import { problemOfAuthentication } from '../base/authentication-names.ts'
import { callHook } from '../base/hooks.ts'
import type { HttpRequest } from '../http/types.ts'
import type { Config } from '../options/config.ts'
import type { Principal } from '../options/principal.ts'
import { carriesToken } from '../tokens/carries-token.ts'

/**
 * Asks the host's `authenticate` who is signed in. Null if nobody is, and for a request that carries a token that authmount
 * issued: an app that holds a user's token is not that user.
 * Rejects if the hook rejects, is late, or returns a value that is not a principal.
 */
export function resolvePrincipal<Native>(request: HttpRequest<Native>, config: Config<Native>): Promise<Principal | null> {
  if (carriesToken(request, config.issuer)) return NOBODY
  return callHook('authenticate', () => config.authenticate(request), readPrincipal, config)
}

const NOBODY: Promise<null> = Promise.resolve(null)

function readPrincipal(answer: Principal | null | undefined): Principal | null {
  if (answer === null || answer === undefined) return null
  const problem = problemOf(answer)
  if (problem) throw new TypeError(`authenticate must return { userId, orgId, isAdmin } or null: ${problem}`)
  return answer
}

/** Describes the first problem of the host's answer, for the author of the hook; undefined if it has none. */
function problemOf(answer: Principal): string | undefined {
  if (typeof answer !== 'object') return `it returned ${typeof answer}`
  for (const name of ['userId', 'orgId'] as const) {
    const value: unknown = answer[name]
    if (typeof value !== 'string') return `${name} is ${typeof value}, and must be a string`
    if (value.length === 0 || value.length > 255) return `${name} must have 1 to 255 characters`
  }
  // What a page shows. `displayName` has always been taken as it is.
  for (const name of ['accountName', 'orgName'] as const) {
    const value: unknown = answer[name]
    if (value !== undefined && typeof value !== 'string') return `${name} is ${typeof value}, and must be a string`
  }
  const { authTime, sessionId } = answer as { readonly authTime?: unknown; readonly sessionId?: unknown }
  // OpenID Connect's auth_time is in seconds, which read as milliseconds is a day in January 1970.
  if (authTime !== undefined && !(typeof authTime === 'number' && authTime > 1e11 && Number.isFinite(authTime)))
    return 'authTime must be in milliseconds since 1970, as Date.now() is'
  if (sessionId !== undefined && typeof sessionId !== 'string') return `sessionId is ${typeof sessionId}, and must be a string`
  const problem = problemOfAuthentication(answer)
  if (problem !== undefined) return problem
  return typeof answer.isAdmin === 'boolean' ? undefined : `isAdmin is ${typeof answer.isAdmin}, and must be true or false`
}

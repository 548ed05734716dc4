import type { Config } from './config.ts'
import type { HttpRequest } from './http/types.ts'
import type { Principal } from './options.ts'
import { carriesOwnToken } from './tokens/opaque.ts'

/**
 * Who is signed in, as the host says; null for nobody, and for a request whose credential is a token authmount itself
 * issued: an app that holds a user's token is not that user.
 * Rejects when the host's hook rejects, is late, or answers something that is not a principal.
 */
export async function resolvePrincipal<Native>(request: HttpRequest<Native>, config: Config<Native>): Promise<Principal | null> {
  if (carriesOwnToken(request.headers.authorization)) return null
  const answer = await inTime(async () => config.authenticate(request), config.hookTimeoutMs)
  if (answer === null || answer === undefined) return null
  if (!isPrincipal(answer)) throw new TypeError('authenticate must return { userId, orgId, isAdmin } or null')
  return answer
}

function isPrincipal(value: unknown): value is Principal {
  if (typeof value !== 'object' || value === null) return false
  const { userId, orgId, isAdmin } = value as Partial<Record<keyof Principal, unknown>>
  return isId(userId) && isId(orgId) && typeof isAdmin === 'boolean'
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= 255
}

async function inTime<T>(run: () => Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`authenticate did not answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([run(), late])
  } finally {
    clearTimeout(timer)
  }
}

import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import { OAuthError } from '../errors/oauth-error.ts'

/** How often the log repeats one reason, so that refused tokens cannot fill it. */
const REPEAT_MS = 60_000

/**
 * Makes the error of a refused token. The caller hears the same words whatever is wrong; the log hears the reason, at most
 * once a minute for each. A reason is one of a fixed set of sentences, and never contains a part of the token.
 */
export type Refuse = (reason: string) => OAuthError

export function createRefuse(log: Log, now: () => EpochMs): Refuse {
  const loggedAt = new Map<string, EpochMs>()
  return reason => {
    // Both ways, because a clock may go back.
    if (Math.abs(now() - (loggedAt.get(reason) ?? Number.NEGATIVE_INFINITY)) >= REPEAT_MS) {
      loggedAt.set(reason, now())
      log.warn(`a token was refused: ${reason}`)
    }
    return new OAuthError('invalid_token', 'the access token is unknown, expired, revoked, or for another resource')
  }
}

/** The reason for which a token is neither a JWT nor an opaque token of authmount. */
export function unreadable(token: string): string {
  if (token.split('.').length !== 3) return 'it is neither a JWT nor an opaque token of authmount'
  try {
    const { typ } = decodeProtectedHeader(token)
    decodeJwt(token)
    return typ === 'at+jwt'
      ? 'its jti has not the shape that authmount gives it: another server may sign with the same issuer and key'
      : 'its typ is not at+jwt: it may be an ID token, or of another server'
  } catch {
    return 'it is a malformed JWT'
  }
}

import { sha256 } from './crypto.ts'

/**
 * Returns the `sid` of a session of the host, which apps see in ID tokens and logout tokens: a digest, for the same reason as
 * {@link sessionName}. Null if the host does not name sessions.
 */
export function sidOf(sessionId: string | undefined): string | null {
  return sessionId === undefined ? null : sha256(`sid ${sessionId}`).slice(0, 22)
}

/**
 * Returns the name under which a session of the host is stored: a digest, since on many hosts the id of a session is all that
 * its cookie holds, and a copy of the database must not sign anyone in. Null if the host does not name sessions.
 */
export function sessionName(sessionId: string | undefined): string | null {
  return sessionId === undefined ? null : sha256(`session ${sessionId}`)
}

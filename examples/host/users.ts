import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'

/** The host's own users. authmount never sees a password and never sets a login cookie. */
export interface User {
  readonly id: string
  readonly name: string
  readonly orgId: string
  readonly isAdmin: boolean
}

interface StoredUser extends User {
  readonly salt: Buffer
  readonly passwordHash: Buffer
}

const users = new Map<string, StoredUser>()
const sessions = new Map<string, { readonly user: User; readonly since: number }>()

addUser({ id: 'anna', name: 'Anna Bell', orgId: 'acme', isAdmin: true }, 'anna-demo')
addUser({ id: 'bert', name: 'Bert Cole', orgId: 'acme', isAdmin: false }, 'bert-demo')

/** The id of a new session, or null for a wrong name or password. */
export function signIn(id: string, password: string): string | null {
  const user = users.get(id)
  const hash = scryptSync(password, user?.salt ?? Buffer.alloc(16), 32)
  if (!user || !timingSafeEqual(hash, user.passwordHash)) return null
  const sessionId = randomBytes(24).toString('base64url')
  sessions.set(sessionId, { user, since: Date.now() })
  return sessionId
}

export function userOf(id: string): User | undefined {
  return users.get(id)
}

export function signOut(cookieHeader: string | undefined): void {
  const id = sessionIdOf(cookieHeader)
  if (id) sessions.delete(id)
}

/** Whoever the request's session cookie belongs to. */
export function sessionOf(
  cookieHeader: string | undefined,
): { readonly id: string; readonly user: User; readonly since: number } | null {
  const id = sessionIdOf(cookieHeader)
  const session = id === undefined ? undefined : sessions.get(id)
  return id !== undefined && session ? { id, ...session } : null
}

export function sessionCookie(sessionId: string): string {
  return `session=${sessionId}; Path=/; HttpOnly; SameSite=Lax`
}

function sessionIdOf(cookieHeader: string | undefined): string | undefined {
  return /(?:^|; *)session=([\w-]+)/.exec(cookieHeader ?? '')?.[1]
}

function addUser(user: User, password: string): void {
  const salt = randomBytes(16)
  users.set(user.id, { ...user, salt, passwordHash: scryptSync(password, salt, 32) })
}

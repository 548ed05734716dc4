import { type Authmount, createAuthmount, type RegisteredApp, type Store } from 'authmount'
import { sessionOf } from './users.ts'

/** The host's authorization server: its own users, its own scopes, and a store. */
export function createAuthorization(origin: string, store: Store): Authmount {
  return createAuthmount({
    issuer: origin,
    store,
    loginUrl: '/login',
    scopes: {
      'read:records': { description: 'Read your records', category: 'Records' },
      'write:records': { description: 'Add records for you', category: 'Records' },
    },
    authenticate: ({ headers }) => {
      const session = sessionOf(headers.cookie)
      if (!session) return null
      const { id, isAdmin, name, orgId } = session.user
      return { userId: id, orgId, isAdmin, displayName: name, sessionId: session.id, authTime: session.since }
    },
  })
}

export interface SeededApps {
  /** A server-side app, which has a secret. */
  readonly confidential: RegisteredApp
  /** An app in a browser or on a phone, which has none and uses PKCE. */
  readonly public: RegisteredApp
}

export async function seedApps(authmount: Authmount, origin: string): Promise<SeededApps> {
  const owner = { orgId: 'acme', userId: 'anna' }
  const shared = { redirectUris: [`${origin}/callback`], allowedScopes: ['read:records', 'write:records'] }
  return {
    confidential: await authmount.registerApp(
      { name: 'Quarterly Reports', description: 'Makes a report of your records.', ...shared },
      owner,
    ),
    public: await authmount.registerApp({ name: 'Pocket Records', isConfidential: false, ...shared }, owner),
  }
}

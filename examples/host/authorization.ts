import { type Authmount, createAuthmount, type RegisteredApp, type Store } from 'authmount'
import type { Provider } from 'authmount/connectors'
import { CONNECTOR } from './connections.ts'
import { sessionOf, userOf } from './users.ts'

/** Everybody knows them: good for an example, and for nothing else. */
const EXAMPLE_KEY = 'b_6hJt0yrK3vZQeS1mUo8xWnPc5dGfLa2Tj7IiRk9E4'
const EXAMPLE_SECRET = 'an-example-secret-that-everybody-knows'

/** How long a retry of a refresh gets the same answer, unless the caller says otherwise. */
export const GRACE_SECONDS = 10

export interface HostSettings {
  /** How long a retry of a refresh gets the same answer. Default {@link GRACE_SECONDS}. */
  readonly graceSeconds?: number
  /** The outside provider that users can connect. Default: none. */
  readonly contacts?: Provider
}

/** The host's authorization server: its own users, its own scopes, and a store. */
export function createAuthorization(
  origin: string,
  store: Store,
  { contacts, graceSeconds = GRACE_SECONDS }: HostSettings = {},
): Authmount {
  return createAuthmount({
    issuer: origin,
    store,
    loginUrl: '/login',
    logoutUrl: '/sign-out',
    branding: { name: 'Records' },
    rotationGraceSeconds: graceSeconds,
    // Turns on "sign in with": seals the signing keys, which are kept in the store. A real host keeps its own secret.
    sealingKeys: [Buffer.from(process.env.SEALING_KEY ?? EXAMPLE_KEY, 'base64url')],
    signingAlg: 'ES256',
    claims: userId => {
      const user = userOf(userId)
      return user ? { name: user.name, preferred_username: user.id } : null
    },
    // The other direction: accounts of the users at an outside provider.
    ...(contacts && {
      connectors: {
        baseUrls: [origin],
        successPath: '/connections',
        errorPath: '/connections',
        provider: (connectorId: string) => (connectorId === CONNECTOR ? contacts : null),
      },
      // The provider is on this machine too. Never so for one on the internet.
      allowLoopbackProviders: true,
    }),
    // Agents come by themselves: they are known by a document, or register.
    clients: { registration: 'open' },
    // A terminal signs its user in by a code: examples/cli.
    devices: {},
    // The API of the host, and the MCP server beside it.
    resources: [origin, `${origin}/mcp`],
    scopes: {
      profile: { description: 'See your name' },
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
  /** A command-line tool. */
  readonly terminal: RegisteredApp
}

/** Registers three apps, at every start: the fixed `clientId` makes the calls idempotent. */
export async function seedApps(authmount: Authmount, origin: string): Promise<SeededApps> {
  const owner = { orgId: 'acme', userId: 'anna' }
  const shared = { redirectUris: [`${origin}/callback`], allowedScopes: ['openid', 'profile', 'read:records', 'write:records'] }
  return {
    confidential: await authmount.registerApp(
      {
        clientId: 'quarterly-reports',
        clientSecret: process.env.REPORTS_SECRET ?? EXAMPLE_SECRET,
        name: 'Quarterly Reports',
        description: 'Makes a report of your records.',
        ...shared,
      },
      owner,
    ),
    public: await authmount.registerApp(
      { clientId: 'pocket-records', name: 'Pocket Records', isConfidential: false, ...shared },
      owner,
    ),
    terminal: await authmount.registerApp(
      {
        clientId: 'records-cli',
        name: 'Records in the terminal',
        isConfidential: false,
        ...shared,
        redirectUris: ['http://127.0.0.1/callback'],
        allowedGrantTypes: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      },
      owner,
    ),
  }
}

/** What to call an app to the user whom it wants signed out; null: it is not known. */
export async function nameOfApp(clientId: unknown, seeded: SeededApps, store: Store): Promise<string | null> {
  for (const { app } of Object.values(seeded)) if (app.clientId === clientId) return app.name
  if (typeof clientId !== 'string' || !/^[0-9a-f]{24}$/.test(clientId)) return null
  return (await store.apps.get(clientId))?.name ?? null
}

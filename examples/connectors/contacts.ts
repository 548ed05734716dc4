import { createAuthmount } from 'authmount'
import type { Provider } from 'authmount/connectors'
import authmountPlugin from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import Fastify, { type FastifyInstance } from 'fastify'

/** Everybody knows it: good for an example, and for nothing else. */
const CLIENT_SECRET = 'an-example-secret-that-everybody-knows'

/** Its only user, who is always signed in there. A real provider has a login. */
const USER = { userId: 'anna.bell', orgId: 'contacts', isAdmin: false, displayName: 'Anna Bell' }
const CONTACTS = [
  { name: 'Carla Diaz', phone: '+1 555 0100' },
  { name: 'Emil Fischer', phone: '+1 555 0101' },
]

/**
 * An outside provider for the example host to connect to, so that connectors can be seen without the internet. Resolves when it
 * listens, to what the host has to know of it.
 */
export async function startContacts(
  port: number,
  redirectUri: string,
): Promise<{ readonly provider: Provider; readonly server: FastifyInstance }> {
  const origin = `http://127.0.0.1:${port}`
  const authmount = createAuthmount({
    issuer: origin,
    store: memoryStore(),
    branding: { name: 'Contacts' },
    scopes: { 'read:contacts': { description: 'Read your contacts' } },
    authenticate: () => USER,
  })
  const { clientId } = await authmount.registerApp(
    {
      clientId: 'records',
      clientSecret: CLIENT_SECRET,
      name: 'Records',
      redirectUris: [redirectUri],
      allowedScopes: ['read:contacts'],
    },
    USER,
  )
  const server = Fastify({ forceCloseConnections: true })
  await server.register(authmountPlugin, { authmount })
  server.get('/api/contacts', { preHandler: server.requireToken({ scopes: ['read:contacts'] }) }, async () => CONTACTS)
  await server.listen({ port, host: '127.0.0.1' })
  return { provider: { issuer: origin, clientId, clientSecret: CLIENT_SECRET, scopes: ['read:contacts'] }, server }
}

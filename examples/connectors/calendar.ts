import { createAuthmount } from 'authmount'
import type { Provider } from 'authmount/connectors'
import authmountPlugin from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import Fastify from 'fastify'

/** Everybody knows it: good for an example, and for nothing else. */
const SEALING_KEY = Buffer.from('kX3vQpL8sYtR0aWm2nZcJ5bEuGd7HfIo1VwTx4y6S9A', 'base64url')

/** The calendar's own users, by what its cookie says. A real host would have sessions. */
const USERS = new Map([['anna', { userId: 'anna-of-the-calendar', orgId: 'acme', isAdmin: true }]])

/** A host whose users connect their account at another: it shows their records beside their days. Resolves when it listens. */
export async function startCalendar(port: number, records: Provider) {
  const origin = `http://127.0.0.1:${port}`
  const authmount = createAuthmount({
    issuer: origin,
    store: memoryStore(),
    sealingKeys: [SEALING_KEY],
    scopes: { 'read:calendar': { description: 'Read your calendar' } },
    authenticate: ({ headers }) => USERS.get(/(?:^|; *)calendar=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''),
    connectors: {
      baseUrls: [origin],
      successPath: '/connected',
      errorPath: '/not-connected',
      provider: connectorId => (connectorId === 'records' ? records : null),
    },
    // The provider is on this machine too. Never so for one on the internet.
    allowLoopbackProviders: true,
  })

  const app = Fastify({ forceCloseConnections: true })
  await app.register(authmountPlugin, { authmount })
  app.get('/connected', async () => 'Your records are connected.')
  app.get<{ Querystring: { error?: string } }>('/not-connected', async ({ query }) => `That did not work: ${query.error}`)

  /** What a page of the calendar does: asks for a token, and calls the provider with it. */
  app.get('/records', async (request, reply) => {
    const user = USERS.get(/(?:^|; *)calendar=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? '')
    if (!user) return reply.code(401).send({ error: 'sign in first' })
    const { accessToken } = await authmount.connectorToken('records', user)
    const answer = await fetch(`${records.issuer}/api/records`, { headers: { authorization: `Bearer ${accessToken}` } })
    return reply.code(answer.status).send(await answer.json())
  })
  await app.listen({ port, host: '127.0.0.1' })
  return { origin, authmount, user: { userId: 'anna-of-the-calendar', orgId: 'acme' }, server: app }
}

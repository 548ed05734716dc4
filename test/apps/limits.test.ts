import { RateLimiterMemory } from 'rate-limiter-flexible'
import { api, createApp, NEW_APP } from '../support/apps-api.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'

everywhere('an admin makes ten changes a minute, and is told when to go on', async (t, host) => {
  const app = await createApp(host)
  for (let left = 8; left >= 0; left--) {
    const { headers, status } = await api(host, 'PUT', `/${app.id}`, { body: { name: `Left ${left}` } })
    t.equal(status, 200)
    t.equal(headers.get('ratelimit-limit'), '10')
    t.equal(headers.get('ratelimit-remaining'), String(left))
  }
  const refused = await api(host, 'POST', '', { body: NEW_APP })
  t.equal(refused.status, 429)
  t.match(refused.headers.get('retry-after'), /^[1-9]\d?$/)
  t.match(refused.headers.get('ratelimit-reset'), /^[1-9]\d?$/)
  t.equal(refused.headers.get('cache-control'), 'no-store')
  t.match(refused.body.error, { code: 'TOO_MANY_REQUESTS', message: /try again in \d+ s/ })
  t.equal((await api(host, 'GET', `/${app.id}`)).status, 200, 'reading is not counted')
  t.equal((await api(host, 'POST', '', { user: 'cora', body: NEW_APP })).status, 201, 'nor is anyone else')
})

everywhere('those who may not make changes use up nothing', async (t, host) => {
  for (let index = 0; index < 12; index++) t.equal((await api(host, 'POST', '', { user: 'bert', body: NEW_APP })).status, 403)
  t.equal((await api(host, 'POST', '', { body: {} })).status, 400)
  const { headers } = await api(host, 'POST', '', { body: { name: 7 } })
  t.equal(headers.get('ratelimit-remaining'), '8', 'a change that is refused is counted all the same')
})

everywhere(
  'a limiter of the host’s is used, with its own number',
  async (t, host) => {
    for (let index = 0; index < 3; index++) t.equal((await api(host, 'POST', '', { body: NEW_APP })).status, 201)
    const refused = await api(host, 'POST', '', { body: NEW_APP })
    t.equal(refused.status, 429)
    t.equal(refused.headers.get('ratelimit-limit'), '3')
  },
  { rateLimiter: limit => new RateLimiterMemory({ ...limit, points: 3 }) },
)

for (const [what, consume] of Object.entries({
  rejects: () => Promise.reject(new Error('ECONNREFUSED')),
  hangs: () => new Promise<never>(() => {}),
})) {
  everyFramework(
    `when the limiter’s store ${what}, this process counts for itself and says so`,
    async (t, host) => {
      for (let index = 0; index < 10; index++) t.equal((await api(host, 'POST', '', { body: NEW_APP })).status, 201)
      t.equal((await api(host, 'POST', '', { body: NEW_APP })).status, 429)
      t.equal(host.events.filter(({ type }) => type === 'rate_limiter_unavailable').length, 11)
    },
    {
      storeTimeoutMs: 40,
      rateLimiter: limit => Object.assign(new RateLimiterMemory(limit), { consume }),
    },
  )
}

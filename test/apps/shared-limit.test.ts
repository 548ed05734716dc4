/** Several processes that count together, in the host's own Redis. */
import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import t from 'tap'
import { api, NEW_APP } from '../support/apps-api.ts'
import { frameworks, type HostOptions, startHost } from '../support/host.ts'
import { urlOf } from '../support/places.ts'
import { connectRedis, newNamespace } from '../support/stores.ts'

const url = urlOf('redis')
t.test(
  'four hosts over one Redis let an admin make ten changes a minute, not forty',
  { skip: !url && 'needs Redis' },
  async t => {
    const namespace = newNamespace()
    const hosts = await Promise.all(
      Array.from({ length: 4 }, async (_, index) => {
        const redis = new Redis(url ?? '')
        const options: HostOptions = {
          connect: (_own, now) => connectRedis(url ?? '')(namespace, now),
          rateLimiter: limit => new RateLimiterRedis({ storeClient: redis, ...limit, keyPrefix: `${namespace}:limit` }),
        }
        const mount = Object.values(frameworks)[index % 2]
        if (!mount) throw new Error('no framework')
        const host = await startHost(mount, options)
        t.teardown(async () => {
          await host.close()
          redis.disconnect()
        })
        return host
      }),
    )
    const answers = await Promise.all(
      hosts.flatMap(host => Array.from({ length: 15 }, () => api(host, 'POST', '', { body: NEW_APP }))),
    )
    t.equal(answers.filter(({ status }) => status === 201).length, 10)
    const refused = answers.filter(({ status }) => status === 429)
    t.equal(refused.length, 50)
    for (const { headers } of refused) t.match(headers.get('retry-after'), /^[1-9]\d?$/)
  },
)

/** Compiled, not run: the adapters fit the apps that hosts really have. */
import { createAuthmount, type TokenInfo } from 'authmount'
import { authmountRouter, requireToken as requireExpress } from 'authmount/express'
import authmountPlugin, { requireToken } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import express, { type Request } from 'express'
import Fastify, { type FastifyRequest } from 'fastify'
import { pino } from 'pino'

interface User {
  readonly id: string
  readonly name?: string | undefined
}
declare function userOf(request: unknown): User | undefined

const scopes = { read: { description: 'Read' } }
const common = { issuer: 'https://a.example', store: memoryStore(), scopes, mountPath: process.env.MOUNT_PATH }
const principal = (user: User) => ({ userId: user.id, orgId: 'o', isAdmin: false, displayName: user.name })

export const neutral = createAuthmount({
  ...common,
  authenticate: request => {
    const user = userOf(request.headers.cookie)
    return user && principal(user)
  },
})

export const onExpress = createAuthmount<Request>({ ...common, authenticate: ({ native }) => (native.secure ? null : undefined) })
const app = express()
app.use(authmountRouter(onExpress))
app.use('/api', authmountRouter(neutral))
app.get('/', requireExpress(onExpress, { scopes: ['read'] }), (request, response) => {
  const oauth: TokenInfo | undefined = request.oauth
  response.json(oauth)
})

export const onFastify = createAuthmount<FastifyRequest>({
  ...common,
  authenticate: async ({ native }) => (native.url ? null : null),
})
const plain = Fastify({ logger: true })
plain.register(authmountPlugin, { authmount: onFastify })
plain.get('/', { preHandler: plain.requireToken() }, async request => request.oauth?.userId)

const withPino = Fastify({ loggerInstance: pino() })
withPino.register(authmountPlugin, { authmount: onFastify })
withPino.get('/', { preHandler: withPino.requireToken({ scopes: ['read'] }) }, async request => request.oauth)
withPino.get<{ Params: { id: string }; Reply: { id: string } }>(
  '/:id',
  { preHandler: requireToken(onFastify) },
  async request => ({
    id: request.params.id,
  }),
)

const withHttp2 = Fastify({ http2: true })
withHttp2.register(authmountPlugin, { authmount: neutral })
withHttp2.get('/', { preHandler: [requireToken(neutral)] }, async request => request.oauth)

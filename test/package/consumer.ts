/// <reference types="mongoose8" />
/** A host that uses every entry point; test/package/commonjs.ts compiles it as CommonJS against the packed package. */
import { type Authmount, createAuthmount, OAuthError, type Store, type TokenInfo } from 'authmount'
import { ConnectorError, google } from 'authmount/connectors'
import { authmountConsole, authmountRouter, requireToken } from 'authmount/express'
import authmountPlugin, { requireToken as preHandler } from 'authmount/fastify'
import { authOf, mcpHandler, mcpHook, mcpMiddleware, mcpTokenVerifier } from 'authmount/mcp'
import { memoryStore } from 'authmount/stores/memory'
import { mongoStore } from 'authmount/stores/mongo'
import { redisStore } from 'authmount/stores/redis'
import { runStoreContract } from 'authmount/testing'
import { createVerifier, type Verifier } from 'authmount/verify'
import express from 'express'
import { fastify } from 'fastify'
import type { Redis } from 'ioredis'
import type { Db } from 'mongodb'
import type { Connection } from 'mongoose'

export const store: Store = memoryStore()
export const stores = (db: Db, redis: Redis, { db: ofMongoose }: Connection) => [
  mongoStore(db),
  redisStore(redis),
  ofMongoose && mongoStore(ofMongoose),
]

const authmount = createAuthmount({
  issuer: 'http://localhost:3000',
  store,
  scopes: { read: { description: 'Read your records' } },
  authenticate: ({ headers }) => (headers.cookie ? { userId: 'anna', orgId: 'acme', isAdmin: true } : null),
})
export const anyServer: Authmount = authmount

const onExpress = express()
onExpress.use(authmountRouter(authmount))
onExpress.use('/admin/oauth', authmountConsole(authmount))
onExpress.get('/records', requireToken(authmount, { scopes: ['read'] }), (request, response) => {
  const oauth: TokenInfo | undefined = request.oauth
  response.json(oauth?.userId)
})

const onFastify = fastify()
onFastify.register(authmountPlugin, { authmount })
onFastify.get('/records', { preHandler: preHandler(authmount, { scopes: ['read'] }) }, async request => request.oauth?.userId)

const ofMcp = { resource: 'http://localhost:3000', scopes: ['read'], tools: { change: ['read'] } } as const
onExpress.all('/mcp', mcpMiddleware(authmount, ofMcp), (request, response) => {
  response.json(authOf(request).extra.userId)
})
onFastify.all('/mcp', { preHandler: mcpHook(authmount, ofMcp) }, async request => authOf(request).expiresAt)
export const onNode = mcpHandler(authmount, ofMcp, ({ auth }, response) => response.end(auth.clientId))
class InvalidTokenError extends Error {}
export const verifierOfTheSdk = mcpTokenVerifier(authmount, 'http://localhost:3000', { InvalidTokenError })

export class QuotaError extends OAuthError {}
export const codeOf = (error: unknown): string | undefined =>
  error instanceof OAuthError || error instanceof ConnectorError ? error.code : undefined
export const verifier = (): Verifier => createVerifier({ issuer: 'http://localhost:3000', audience: 'http://localhost:3000' })
export const provider = google({ clientId: 'id', clientSecret: 'secret', scopes: ['openid'] })
export const testsOfStore = (test: Parameters<typeof runStoreContract>[0]) => runStoreContract(test, now => memoryStore({ now }))

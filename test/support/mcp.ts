/** An MCP server behind the guards of authmount/mcp, by the official SDK, on each of the ways to serve it. */
import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Authmount } from 'authmount'
import { authmountRouter } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import {
  authOf,
  type Guarding,
  type McpAuthInfo,
  type McpOptions,
  mcpHandler,
  mcpHook,
  mcpMetadata,
  mcpMetadataHook,
  mcpMiddleware,
} from 'authmount/mcp'
import express from 'express'
import express4 from 'express4'
import Fastify from 'fastify'
import { type Listening, listen } from './host.ts'
import { ISSUER } from './verifier.ts'

/** The tools: one for whoever may read, which every request may, and one for whoever may write. */
export const SCOPES_OF_MCP = { scopes: ['read:records'], tools: { change: ['write:records'] } }

/** Where the server runs: beside the authorization server, or elsewhere with a verifier. */
export type ServedMcp = { readonly authmount: Authmount } | { readonly verifier: Guarding }

export type McpMount = (served: ServedMcp, resource: string) => Promise<Listening>

export const mcpMounts: Readonly<Record<string, McpMount>> = {
  express: (served, resource) => {
    const app = express()
    return serveExpress(app, served, { resource, ...SCOPES_OF_MCP })
  },
  'express 4, which parses bodies afterwards': (served, resource) => {
    const app = express4() as unknown as express.Express
    return serveExpress(app, served, { resource, ...SCOPES_OF_MCP }, [express4.json()])
  },
  fastify: async (served, resource) => {
    const app = Fastify({ forceCloseConnections: true })
    if ('authmount' in served) await app.register(authmountPlugin, served)
    else app.addHook('onRequest', mcpMetadataHook(metadataOf(resource)))
    app.route({
      method: ['GET', 'POST', 'DELETE', 'OPTIONS'],
      url: '/mcp',
      preHandler: mcpHook(guardingOf(served), { resource, ...SCOPES_OF_MCP }),
      handler: async (request, reply) => {
        const transport = await connect(authOf(request))
        reply.hijack()
        await transport.handleRequest(request.raw, reply.raw, request.body)
      },
    })
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
  'node:http': (served, resource) => {
    const mcp = mcpHandler(guardingOf(served), { resource, ...SCOPES_OF_MCP }, async (request, response) => {
      const transport = await connect(request.auth)
      await transport.handleRequest(request, response, request.body)
    })
    const others = 'authmount' in served ? express().use(authmountRouter(served.authmount)) : mcpMetadata(metadataOf(resource))
    return listen(createServer((request, response) => (request.url === '/mcp' ? mcp : others)(request, response)))
  },
}

function serveExpress(
  app: express.Express,
  served: ServedMcp,
  options: McpOptions,
  after: readonly express.RequestHandler[] = [],
): Promise<Listening> {
  app.use('authmount' in served ? authmountRouter(served.authmount) : mcpMetadata(metadataOf(options.resource)))
  app.all('/mcp', mcpMiddleware(guardingOf(served), options), ...after, async (request, response) => {
    const transport = await connect(authOf(request))
    await transport.handleRequest(request, response, request.body)
  })
  return listen(app)
}

function guardingOf(served: ServedMcp): Guarding {
  return 'authmount' in served ? served.authmount : served.verifier
}

function metadataOf(resource: string) {
  return { resource, issuer: ISSUER, scopes: ['read:records'], name: 'Records' }
}

/** Serves one request, as a server without sessions does. Its tools answer what they know of the token. */
async function connect(auth: McpAuthInfo): Promise<StreamableHTTPServerTransport> {
  const server = new McpServer({ name: 'records', version: '1.0.0' })
  server.registerTool('whose', { description: 'Whose records these are' }, ({ authInfo }) => ({
    content: [
      { type: 'text', text: String(auth.extra.userId) },
      { type: 'text', text: JSON.stringify(authInfo) },
    ],
  }))
  server.registerTool('change', { description: 'Change a record' }, () => ({ content: [{ type: 'text', text: 'changed' }] }))
  const transport = new StreamableHTTPServerTransport({})
  await server.connect(transport as Parameters<McpServer['connect']>[0])
  return transport
}

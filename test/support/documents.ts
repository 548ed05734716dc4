import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { generate } from 'selfsigned'
import t from 'tap'
import type { HostOptions } from './host.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** The web server of the makers of clients: publishes what clients say of themselves, over TLS on this machine. */
export interface DocumentServer {
  readonly origin: string
  /** Publishes a document at a path, with its `client_id` unless it has one, and returns its URL. */
  publish(path: string, document: object, headers?: Readonly<Record<string, string>>): string
  /** Answers a path by hand, and returns its URL. */
  answer(path: string, handler: Handler): string
  /** How many requests a path has had. */
  hits(path: string): number
}

/** Lets an authorization server read documents on this machine. */
export const READS_HERE: HostOptions = { allowLoopbackProviders: true }

/** Starts a server of documents, for all tests of a file. Its certificate is trusted in this process. */
export async function startDocuments(): Promise<DocumentServer> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  // Read at each connection. The requests of this process go to this machine alone.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  const handlers = new Map<string, Handler>()
  const counts = new Map<string, number>()
  const server = createServer({ cert, key }, (request, response) => {
    const path = request.url ?? '/'
    counts.set(path, (counts.get(path) ?? 0) + 1)
    const handler = handlers.get(path)
    if (handler) handler(request, response)
    else response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not found</h1>')
  })
  const origin = `https://localhost:${await listen(server)}`
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })

  const answer = (path: string, handler: Handler): string => {
    handlers.set(path, handler)
    return `${origin}${path}`
  }
  return {
    origin,
    answer,
    hits: path => counts.get(path) ?? 0,
    publish(path, document, headers = {}) {
      const text = JSON.stringify({ client_id: `${origin}${path}`, ...document })
      return answer(path, (_request, response) =>
        response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(text),
      )
    },
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

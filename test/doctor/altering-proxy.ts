import { createServer, type IncomingMessage, request } from 'node:http'
import type { Listening } from '../support/host.ts'

/** An answer on its way through the proxy. */
export interface Passing {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
}

/** What a proxy does to requests and answers. */
export interface Alterations {
  /** Answers in place of the host. */
  readonly answer?: (incoming: IncomingMessage) => Passing | undefined
  /** The path under which the host gets the request. */
  readonly path?: (path: string) => string
  /** The headers that do not arrive. */
  readonly drops?: readonly string[]
  /** Changes what the host has answered. */
  readonly change?: (passing: Passing, incoming: IncomingMessage) => Passing
}

/** A reverse proxy in front of a host, set up in a way that does harm. */
export async function alteringProxy(host: string, { answer, change, drops = [], path = same }: Alterations): Promise<Listening> {
  const server = createServer((incoming, outgoing) => {
    const send = ({ body, headers, status }: Passing) =>
      outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
    const own = answer?.(incoming)
    if (own) return void send(own)
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !drops.includes(name)))
    const passed = request(new URL(path(incoming.url ?? '/'), host), { method: incoming.method, headers }, async response => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      const { 'content-length': _length, 'transfer-encoding': _encoding, ...rest } = response.headers
      const answered = Object.entries(rest).map(([name, value]) => [name, String(value)] as const)
      const passing: Passing = {
        status: response.statusCode ?? 502,
        headers: Object.fromEntries(answered),
        body: Buffer.concat(chunks).toString(),
      }
      send(change ? change(passing, incoming) : passing)
    })
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

const same = (path: string) => path

/** Changes a JSON document whose path begins with a prefix. */
export function rewriting(prefix: string, rewrite: (document: Record<string, unknown>) => object): Alterations {
  return {
    change: (passing, { url = '' }) =>
      url.startsWith(prefix) && passing.status === 200
        ? { ...passing, body: JSON.stringify(rewrite(JSON.parse(String(passing.body)))) }
        : passing,
  }
}

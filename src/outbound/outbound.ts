import { lookup as dnsLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent, Headers as UndiciHeaders, fetch as undiciFetch } from 'undici'
import { checkOutboundUrl, OutboundError, vettedLookup } from './outbound-url.ts'

export interface OutboundOptions {
  /** Lets plain http and addresses of this machine through: for tests, and for development against a provider that runs here. */
  readonly allowLoopback: boolean
  /** Resolves host names; default `dns.lookup`. */
  readonly lookup?: LookupFunction
  /** For the whole exchange, from the name lookup to the last byte of the body; default 10 000. */
  readonly timeoutMs?: number
  /** Most bytes of body, decompressed; default 1 MiB. */
  readonly maxBytes?: number
}

export interface OutboundInit {
  readonly method?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | URLSearchParams | Uint8Array | null | undefined
  readonly signal?: AbortSignal | null | undefined
}

export interface Outbound {
  /**
   * Sends one request, and resolves once the whole body is here. Fits `[customFetch]` of oauth4webapi.
   *
   * Rejects with `OutboundError`, also for every 3xx; with the signal's own reason where the caller's signal ended it.
   * Each request has a connection of its own, to addresses vetted for that connection.
   */
  readonly fetch: (url: string, init: OutboundInit) => Promise<Response>
  /** Ends the requests under way, which reject; nothing else is held open. */
  close(): Promise<void>
}

/** Calls providers at addresses that a host configured or a provider announced, and nothing that is not on the public internet. */
export function createOutbound(options: OutboundOptions): Outbound {
  const { allowLoopback, timeoutMs = 10_000, maxBytes = 1_048_576 } = options
  const lookup = vettedLookup(options.lookup ?? dnsLookup, allowLoopback)
  const underWay = new Set<AbortController>()

  return {
    async fetch(url, { method = 'GET', headers = {}, body = null, signal }) {
      const target = checkOutboundUrl(url, { allowLoopback })
      const { host } = target
      signal?.throwIfAborted()

      const exchange = new AbortController()
      underWay.add(exchange)
      const agent = new Agent({
        connect: { lookup, signal: exchange.signal, timeout: 0 },
        pipelining: 0, // no keep-alive: a pooled socket is one nobody vets again
        maxResponseSize: maxBytes, // of what travels: an endless gzip stream may decompress to nothing
      })
      // Ahead of fetch's own listener: undici replaces the connection of a request it aborts, unless the agent is gone.
      exchange.signal.addEventListener('abort', () => agent.destroy())
      const late = () => new OutboundError('timeout', `the exchange with ${host} took more than ${timeoutMs} ms`)
      const timer = setTimeout(() => exchange.abort(late()), timeoutMs)
      signal?.addEventListener('abort', () => exchange.abort(signal.reason), { signal: exchange.signal })
      try {
        const response = await undiciFetch(target, {
          method,
          headers: withDefaults(headers),
          body,
          redirect: 'manual',
          signal: exchange.signal,
          dispatcher: agent,
        })
        const { status } = response
        if (status >= 300 && status < 400) throw new OutboundError('redirect', `${host} answered ${status}, not followed`)
        const received = new Headers([...response.headers])
        for (const name of ['content-encoding', 'content-length']) received.delete(name) // of the body as it travelled
        return new Response(await readBody(response.body, host, maxBytes), { status, headers: received })
      } catch (error) {
        throw exchange.signal.aborted ? exchange.signal.reason : explain(error, host)
      } finally {
        clearTimeout(timer)
        underWay.delete(exchange)
        exchange.abort()
      }
    },
    async close() {
      for (const exchange of underWay) exchange.abort(new OutboundError('network', 'outbound requests were closed'))
    },
  }
}

function withDefaults(headers: Readonly<Record<string, string>>): UndiciHeaders {
  const sent = new UndiciHeaders({ 'user-agent': 'authmount', accept: 'application/json' })
  for (const [name, value] of Object.entries(headers)) sent.set(name, value)
  return sent
}

/** Into one block from the start: a body in a million chunks of one byte costs no more than any other. */
async function readBody(body: AsyncIterable<Uint8Array> | null, host: string, maxBytes: number): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(maxBytes)
  let size = 0
  for await (const chunk of body ?? []) {
    if (size + chunk.length > maxBytes) throw new OutboundError('too_large', `the body of ${host} is over ${maxBytes} bytes`)
    bytes.set(chunk, size)
    size += chunk.length
  }
  return size > 0 ? bytes.slice(0, size) : null // a 204 may not even have an empty one
}

function explain(error: unknown, host: string): OutboundError {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (cause instanceof OutboundError) return cause
  const code = cause instanceof Error ? String(('code' in cause && cause.code) || cause.name) : 'unknown'
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return new OutboundError('too_large', `the answer of ${host} is too large`)
  return new OutboundError('network', `the exchange with ${host} failed: ${code}`)
}

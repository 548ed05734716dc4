import { lookup as dnsLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Agent, Headers as UndiciHeaders, fetch as undiciFetch } from 'undici'

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

export type OutboundReason = 'refused' | 'timeout' | 'too_large' | 'redirect' | 'network'

/**
 * A request to a provider was not allowed, or had no usable answer. The message is for a log: it names the host and never
 * the query, the headers or the body. There is no `cause`, as undici's errors quote headers and bytes of the answer.
 */
export class OutboundError extends Error {
  override readonly name = 'OutboundError'
  readonly reason: OutboundReason

  constructor(reason: OutboundReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** From 1024 up: the ports that fetch blocks (WHATWG Fetch, “Port blocking”), and those of databases, queues and remote desktops. */
const FOREIGN_PORTS: ReadonlySet<number> = new Set([
  ...[1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080],
  ...[1433, 1521, 3306, 3389, 5432, 5672, 5900, 6379, 9042, 9092, 11211, 27017],
])

/** All the IPv6 space IANA has given out. The rest is unicast to ipaddr.js too, ::127.0.0.1 included. */
const ASSIGNED = ipaddr.IPv6.parseCIDR('2000::/3')

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

/** Throws `OutboundError` for a URL that may never be called: for checks at configuration time. Looks no name up. */
export function checkOutboundUrl(url: string, { allowLoopback }: Pick<OutboundOptions, 'allowLoopback'>): URL {
  const target = URL.canParse(url) ? new URL(url) : null
  if (!target) throw refusal('the URL of the provider is not an absolute URL')
  const { protocol, host, hostname, port } = target
  if (protocol !== 'https:' && protocol !== 'http:') throw refusal(`${protocol} is not a scheme for a provider`)
  if (target.username || target.password) throw refusal(`the URL at ${host} has a user name or password in it`)

  const range = rangeOfHost(hostname)
  if (range === 'loopback' && allowLoopback) return target
  if (protocol !== 'https:') throw refusal(`the URL at ${host} must be https`)
  if (range !== 'unicast' && range !== 'unknown') throw refusal(`${hostname} is not a public address`)
  const number = Number(port || 443)
  if (number !== 443 && (number < 1024 || FOREIGN_PORTS.has(number)))
    throw refusal(`port ${port} of ${hostname} is for something else`)
  return target
}

/** `lookup`, failing if any one of the addresses it finds may not be connected to. The socket uses the very list vetted here. */
function vettedLookup(lookup: LookupFunction, allowLoopback: boolean): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, { ...options, all: true }, (error, found, family) => {
      if (error) return callback(error, '')
      const addresses = Array.isArray(found) ? found : [{ address: found, family: family ?? isIP(found) }]
      // Plain http is let through to localhost, so that must be this machine and not whatever a resolver makes of it.
      const allowed = rangeOfHost(hostname) === 'loopback' ? ['loopback'] : ['unicast', ...(allowLoopback ? ['loopback'] : [])]
      const [first] = addresses
      if (!first) return callback(new OutboundError('network', `${hostname} has no address`), '')
      if (!addresses.every(({ address }) => allowed.includes(rangeOf(address)))) {
        return callback(refusal(`${hostname} does not resolve to a public address`), '')
      }
      if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
}

function rangeOfHost(hostname: string): string {
  const literal = hostname.replace(/^\[|\]$/g, '')
  if (isIP(literal)) return rangeOf(literal)
  return /(^|\.)localhost$/.test(hostname) ? 'loopback' : 'unknown' // RFC 6761 §6.3
}

/** 'unicast' for public addresses and no others. */
function rangeOf(address: string): string {
  if (!isIP(address)) return 'malformed'
  const parsed = ipaddr.process(address) // takes ::ffff:127.0.0.1 for what it is
  if (parsed instanceof ipaddr.IPv6 && parsed.range() === 'unicast' && !parsed.match(ASSIGNED)) return 'reserved'
  return parsed.range()
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

function refusal(message: string): OutboundError {
  return new OutboundError('refused', message)
}

import { lookup as dnsLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { exchangeHttp } from './exchange.ts'
import { checkOutboundUrl, isInside, OutboundError, type OutboundRules, vettedLookup } from './outbound-url.ts'
import { connectThrough, type ProxySetting, proxyFor } from './proxy.ts'

/** Options of outbound requests. */
export interface OutboundOptions extends OutboundRules {
  /** An http or https URL, or false for none. Default: what `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say. */
  readonly proxy?: ProxySetting
  /** Resolves host names; default `dns.lookup`. */
  readonly lookup?: LookupFunction
  /** The limit for the whole exchange, from the name lookup to the last byte of the body, in milliseconds; default 10,000. */
  readonly timeoutMs?: number
  /** The most bytes of body, decompressed; default 1 MiB. */
  readonly maxBytes?: number
}

/** An outbound request, as `fetch` takes it. */
export interface OutboundInit {
  readonly method?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | URLSearchParams | Uint8Array | null | undefined
  readonly signal?: AbortSignal | null | undefined
}

/** Sends requests to providers. */
export interface Outbound {
  /**
   * Sends one request, and resolves once the whole body has arrived. Fits `[customFetch]` of oauth4webapi.
   *
   * Rejects with `OutboundError`, also for every 3xx; with the signal's reason if the caller's signal aborted it.
   * Each request opens its own connection, to an address that was vetted for it. A proxy resolves the name itself, so then only
   * the URL is vetted.
   */
  readonly fetch: (url: string, init: OutboundInit) => Promise<Response>
  /** Aborts the pending requests, which reject. */
  close(): Promise<void>
}

/** Makes a client for calls to providers. It refuses every address that is not on the public internet, unless the rules allow it (SSRF). */
export function createOutbound(options: OutboundOptions): Outbound {
  const { proxy: proxySetting = null, timeoutMs = 10_000, maxBytes = 1_048_576 } = options
  const lookup = vettedLookup(options.lookup ?? dnsLookup, options)
  const underWay = new Set<AbortController>()

  return {
    async fetch(url, { method = 'GET', headers, body = null, signal }) {
      const target = checkOutboundUrl(url, options)
      const { host } = target
      signal?.throwIfAborted()

      const exchange = new AbortController()
      underWay.add(exchange)
      const late = () => new OutboundError('timeout', `the exchange with ${host} took more than ${timeoutMs} ms`)
      const timer = setTimeout(() => exchange.abort(late()), timeoutMs)
      signal?.addEventListener('abort', () => exchange.abort(signal.reason), { signal: exchange.signal })
      // Race with the signal: a callback of Node may never come, such as a lookup's.
      const ended = new Promise<never>((_resolve, reject) =>
        exchange.signal.addEventListener('abort', () => reject(exchange.signal.reason), { once: true }),
      )
      try {
        const proxy = isInside(target, options) ? null : proxyFor(target, proxySetting, process.env)
        const answered = async () => {
          const socket = proxy && (await connectThrough(proxy, target, exchange.signal))
          const content = body instanceof URLSearchParams ? String(body) : body
          const sent = { method, headers: headersOf(headers, body), body: content, lookup, maxBytes, socket }
          return exchangeHttp(target, { ...sent, signal: exchange.signal })
        }
        return await Promise.race([answered(), ended])
      } catch (error) {
        throw exchange.signal.aborted ? exchange.signal.reason : explain(error, host)
      } finally {
        clearTimeout(timer)
        underWay.delete(exchange)
        ended.catch(() => {})
        exchange.abort()
      }
    },
    async close() {
      for (const exchange of underWay) exchange.abort(new OutboundError('network', 'outbound requests were closed'))
    },
  }
}

function headersOf(headers: OutboundInit['headers'], body: OutboundInit['body']): Headers {
  const sent = new Headers({ 'user-agent': 'authmount', accept: 'application/json', 'accept-encoding': 'gzip, br' })
  if (body instanceof URLSearchParams) sent.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8')
  for (const [name, value] of Object.entries(headers ?? {})) sent.set(name, value)
  return sent
}

function explain(error: unknown, host: string): OutboundError {
  if (error instanceof OutboundError) return error
  const code = error instanceof Error ? String(('code' in error && error.code) || error.name) : 'unknown'
  return new OutboundError('network', `the exchange with ${host} failed: ${code}`)
}

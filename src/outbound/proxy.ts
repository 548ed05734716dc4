import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import { OutboundError, withoutBrackets } from './outbound-url.ts'

/** The URL of a proxy. `false`: none. null: from the environment. */
export type ProxySetting = string | false | null
type Environment = Readonly<Record<string, string | undefined>>

/**
 * Returns the proxy of an https request, or null. Reads the variables that curl reads: `HTTPS_PROXY`, or else `HTTP_PROXY`, and
 * `NO_PROXY` with the hosts that are reached directly; their lower-case forms take precedence.
 *
 * Throws OutboundError for an unusable proxy: a direct request could bypass a rule of the network.
 */
export function proxyFor(target: URL, setting: ProxySetting, environment: Environment): URL | null {
  if (setting === false) return null
  const named = (name: string) => environment[name.toLowerCase()] ?? environment[name]
  const proxy = setting ?? (named('HTTPS_PROXY') || named('HTTP_PROXY'))
  if (!proxy || isExempt(target, named('NO_PROXY') ?? '')) return null
  const url = proxyUrl(proxy)
  if (!url) throw new OutboundError('refused', 'the proxy must be an http or https URL')
  return url
}

/** Parses a proxy's address; a bare `host:port` is http. Undefined for any other text. */
export function proxyUrl(proxy: string): URL | undefined {
  const text = proxy.includes('://') ? proxy : `http://${proxy}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url && /^https?:$/.test(url.protocol) ? url : undefined
}

/** Matches a host with `NO_PROXY`: `example.com` and `.example.com` match the host and its subdomains, `example.com:8443` one port, `*` all. */
function isExempt({ hostname, port }: URL, noProxy: string): boolean {
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .some(entry => {
      if (entry === '*') return true
      const [, name = '', onlyPort] = /^\*?\.?(.+?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? []
      if (name === '' || (onlyPort !== undefined && onlyPort !== (port || '443'))) return false
      return hostname === name || hostname.endsWith(`.${name}`)
    })
}

/** Opens a TLS connection to the target through a tunnel of the proxy (RFC 9110 §9.3.6). The signal closes it at any time. */
export async function connectThrough(proxy: URL, target: URL, signal: AbortSignal): Promise<Socket> {
  const host = withoutBrackets(target.hostname)
  const socket = await openTunnel(proxy, `${target.hostname}:${target.port || 443}`, signal)
  signal.addEventListener('abort', () => socket.destroy(), { once: true })
  const options: ConnectionOptions = { socket, host, ALPNProtocols: ['http/1.1'] }
  return tlsConnect(isIP(host) ? options : { ...options, servername: host })
}

function openTunnel(proxy: URL, authority: string, signal: AbortSignal): Promise<Socket> {
  const request = proxy.protocol === 'https:' ? httpsRequest : httpRequest
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const connecting = request({
    method: 'CONNECT',
    host: withoutBrackets(proxy.hostname),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    path: authority,
    headers: {
      host: authority,
      ...(credentials === ':' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }),
    },
    agent: false,
    signal,
  })
  return new Promise((resolve, reject) => {
    connecting.once('connect', ({ statusCode }, socket) => {
      if (statusCode === 200) return resolve(socket)
      socket.destroy()
      reject(new OutboundError('network', `the proxy ${proxy.host} answered ${statusCode}`))
    })
    connecting.once('error', ({ code, name }: NodeJS.ErrnoException) =>
      reject(new OutboundError('network', `the proxy ${proxy.host} could not be reached: ${code ?? name}`)),
    )
    connecting.once('close', () => reject(new OutboundError('network', `the proxy ${proxy.host} closed the connection`)))
    connecting.end()
  })
}

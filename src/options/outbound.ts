import { isIP } from 'node:net'
import { withoutBrackets } from '../outbound/outbound-url.ts'
import { type ProxySetting, proxyUrl } from '../outbound/proxy.ts'
import { nameUnknown, quote } from './checks.ts'

/** How requests to outside providers leave this server. */
export interface OutboundSettings {
  /**
   * An http or https URL of a proxy, with user name and password where it needs them; `false`: none. A proxy resolves names
   * itself, so keeping private addresses out is then its task. Default: what the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.
   */
  readonly proxy?: string | false | undefined
  /**
   * Hosts that may be at a private address, such as an identity provider of your own network: host names, or literal addresses,
   * without a port. They are reached directly, over https. Default: none.
   */
  readonly allowPrivateHosts?: readonly string[] | undefined
}

/** The same, checked. */
export interface OutboundConfig {
  readonly proxy: ProxySetting
  readonly allowPrivateHosts: readonly string[]
}

export function readOutbound(settings: OutboundSettings | undefined, problems: string[]): OutboundConfig {
  const { allowPrivateHosts = [], proxy } = settings ?? {}
  nameUnknown('outbound.', settings ?? {}, ['proxy', 'allowPrivateHosts'], problems)
  if (proxy !== undefined && proxy !== false && !(typeof proxy === 'string' && proxyUrl(proxy)))
    problems.push('outbound.proxy must be an http or https URL, or false')
  if (!Array.isArray(allowPrivateHosts)) problems.push('outbound.allowPrivateHosts must be an array of host names')
  const hosts = Array.isArray(allowPrivateHosts) ? allowPrivateHosts : []
  return { proxy, allowPrivateHosts: hosts.map(host => readHost(host, problems)) }
}

/** As it stands in a parsed URL. */
function readHost(host: unknown, problems: string[]): string {
  const text = String(host)
  const url = `https://${isIP(text) === 6 ? `[${text}]` : text}`
  if (typeof host === 'string' && !/[/:@?#\s]/.test(isIP(text) ? '' : text) && URL.canParse(url))
    return withoutBrackets(new URL(url).hostname)
  problems.push(`outbound.allowPrivateHosts: ${quote(host)} must be a host name such as login.corp.example, without a port`)
  return ''
}

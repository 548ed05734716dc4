import { isIP } from 'node:net'
import { withoutBrackets } from '../outbound/outbound-url.ts'
import { proxyUrl } from '../outbound/proxy.ts'
import { type Kind, list } from './kinds.ts'
import { quote } from './place.ts'
import { optional, type Table } from './rows.ts'

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

const proxy: Kind<string | false> = {
  read: (value, place) =>
    value === false || (typeof value === 'string' && proxyUrl(value))
      ? value
      : // A proxy's URL may hold a password.
        place.refuse('must be an http or https URL, or false'),
}

/** A host name or an IP address, read as it stands in a parsed URL. */
const host: Kind<string> = {
  read(value, place) {
    const text = String(value)
    const url = `https://${isIP(text) === 6 ? `[${text}]` : text}`
    if (typeof value === 'string' && !/[/:@?#\s]/.test(isIP(text) ? '' : text) && URL.canParse(url))
      return withoutBrackets(new URL(url).hostname)
    return place.refuse(`must be a host name such as login.corp.example, without a port, not ${quote(value)}`)
  },
}

export const OUTBOUND = {
  proxy: optional(proxy, null),
  allowPrivateHosts: optional(list(host, "['login.corp.example']"), []),
} satisfies Table<OutboundSettings>

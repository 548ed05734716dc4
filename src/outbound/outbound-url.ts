import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Why a request to a provider failed. */
export type OutboundReason = 'refused' | 'timeout' | 'too_large' | 'redirect' | 'network'

/**
 * A request to a provider was not allowed, or had no usable answer. The message is for a log: it names the host and never
 * the query, the headers or the body. There is no `cause`, as errors of Node's parser hold bytes of the answer.
 */
export class OutboundError extends Error {
  override readonly name = 'OutboundError'
  readonly reason: OutboundReason

  constructor(reason: OutboundReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** Exceptions to the rule that only public addresses are called, and only over https. */
export interface OutboundRules {
  /** Allows plain http and loopback addresses: for tests, and for development against a provider on this machine. */
  readonly allowLoopback: boolean
  /** Host names and literal addresses that may be in a private network, in lower case and without a port. Default: none. */
  readonly allowPrivateHosts?: readonly string[] | undefined
}

/** Forbidden ports from 1024 up: those that fetch blocks (WHATWG Fetch, “Port blocking”), and those of databases, queues and remote desktops. */
const FOREIGN_PORTS: ReadonlySet<number> = new Set([
  ...[1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080],
  ...[1433, 1521, 3306, 3389, 5432, 5672, 5900, 6379, 9042, 9092, 11211, 27017],
])

/** Address ranges of private hosts. Never link-local addresses: clouds serve their metadata there. */
const PRIVATE_RANGES: readonly string[] = ['private', 'uniqueLocal', 'carrierGradeNat']

/** The IPv6 space that IANA has assigned. ipaddr.js calls the rest unicast too, ::127.0.0.1 included. */
const ASSIGNED = ipaddr.IPv6.parseCIDR('2000::/3')

/** Checks a URL without resolving its name, for checks at configuration time. Throws `OutboundError` if it may never be called. */
export function checkOutboundUrl(url: string, rules: OutboundRules): URL {
  const target = URL.canParse(url) ? new URL(url) : null
  if (!target) throw refusal('the URL of the provider is not an absolute URL')
  const { protocol, host, hostname, port } = target
  if (protocol !== 'https:' && protocol !== 'http:') throw refusal(`${protocol} is not a scheme for a provider`)
  if (target.username || target.password) throw refusal(`the URL at ${host} has a user name or password in it`)

  const range = rangeOfHost(hostname)
  if (range === 'loopback' && rules.allowLoopback) return target
  if (protocol !== 'https:') throw refusal(`the URL at ${host} must be https`)
  const inside = PRIVATE_RANGES.includes(range) && mayBePrivate(hostname, rules)
  if (range !== 'unicast' && range !== 'unknown' && !inside) throw refusal(`${hostname} is not a public address`)
  const number = Number(port || 443)
  if (number !== 443 && (number < 1024 || FOREIGN_PORTS.has(number)))
    throw refusal(`port ${port} of ${hostname} is for something else`)
  return target
}

/** Tells whether a request goes to this machine, or to a host that may be private: such requests bypass the proxy. */
export function isInside({ hostname }: URL, rules: OutboundRules): boolean {
  return rangeOfHost(hostname) === 'loopback' || mayBePrivate(hostname, rules)
}

/** Wraps `lookup` to fail if any of the addresses it finds is forbidden. The socket connects to the same list, so there is no second lookup. */
export function vettedLookup(lookup: LookupFunction, rules: OutboundRules): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, { ...options, all: true }, (error, found, family) => {
      if (error) return callback(error, '')
      const addresses = Array.isArray(found) ? found : [{ address: found, family: family ?? isIP(found) }]
      const allowed = allowedRanges(hostname, rules)
      const [first] = addresses
      if (!first) return callback(new OutboundError('network', `${hostname} has no address`), '')
      if (!addresses.every(({ address }) => allowed.includes(rangeOf(address)))) {
        return callback(refusal(`${hostname} does not resolve to a public address`), '')
      }
      if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
}

function allowedRanges(hostname: string, rules: OutboundRules): readonly string[] {
  // Plain http is allowed to localhost, so the name must resolve to loopback, whatever a resolver says.
  if (rangeOfHost(hostname) === 'loopback') return ['loopback']
  const loopback = rules.allowLoopback ? ['loopback'] : []
  return ['unicast', ...loopback, ...(mayBePrivate(hostname, rules) ? PRIVATE_RANGES : [])]
}

function mayBePrivate(hostname: string, { allowPrivateHosts = [] }: OutboundRules): boolean {
  return allowPrivateHosts.includes(withoutBrackets(hostname))
}

function rangeOfHost(hostname: string): string {
  const literal = withoutBrackets(hostname)
  if (isIP(literal)) return rangeOf(literal)
  return /(^|\.)localhost$/.test(hostname) ? 'loopback' : 'unknown' // RFC 6761 §6.3
}

/** Removes the brackets of an IPv6 address in a URL; returns any other host name as it is. */
export function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/** Returns the range of an address: 'unicast' for public addresses and no others. */
function rangeOf(address: string): string {
  if (!isIP(address)) return 'malformed'
  const parsed = ipaddr.process(address) // takes ::ffff:127.0.0.1 for what it is
  if (parsed instanceof ipaddr.IPv6 && parsed.range() === 'unicast' && !parsed.match(ASSIGNED)) return 'reserved'
  return parsed.range()
}

function refusal(message: string): OutboundError {
  return new OutboundError('refused', message)
}

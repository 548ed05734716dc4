import ipaddr from 'ipaddr.js'

/** Where a proxy may be, and no caller from the internet. */
const PRIVATE: readonly string[] = ['loopback', 'private', 'linkLocal', 'uniqueLocal', 'carrierGradeNat']

/** What one process has seen of its callers. Plain data, because every token request reads it. */
export interface Callers {
  /** The first address; undefined before the first request. */
  first: string | undefined
  /** Whether there was another. */
  several: boolean
}

/** Takes note of where a request comes from. */
export function noteAddress(callers: Callers, ip: string | undefined): void {
  if (ip === undefined || ip === callers.first) return
  if (callers.first === undefined) callers.first = ip
  else callers.several = true
}

/**
 * Returns the key of an address, for budgets: the address itself, of IPv6 its /64, which one customer has. Null where nothing can
 * be told by it: there is none, or every request so far came from one private address, so that a proxy hides who is behind.
 */
export function addressKey(ip: string | undefined, { several }: Callers): string | null {
  if (ip === undefined || !ipaddr.isValid(ip)) return null
  const address = ipaddr.process(ip) // takes ::ffff:127.0.0.1 for what it is
  if (!several && PRIVATE.includes(address.range())) return null
  return address.kind() === 'ipv6' ? address.toByteArray().slice(0, 8).join('.') : address.toString()
}

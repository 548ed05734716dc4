import ipaddr from 'ipaddr.js'

/** Where a proxy may be, and no caller from the internet. */
const PRIVATE: readonly string[] = ['loopback', 'private', 'linkLocal', 'uniqueLocal', 'carrierGradeNat']

/**
 * Returns the key of an address, for budgets: the address itself, of IPv6 its /64, which one customer has. Null where nothing can
 * be told by it: there is none, or it is private, so that a proxy may hide everyone behind it.
 */
export function addressKey(ip: string | undefined): string | null {
  if (ip === undefined || !ipaddr.isValid(ip)) return null
  const address = ipaddr.process(ip) // takes ::ffff:127.0.0.1 for what it is
  if (PRIVATE.includes(address.range())) return null
  return address.kind() === 'ipv6' ? address.toByteArray().slice(0, 8).join('.') : address.toString()
}

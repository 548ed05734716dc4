import ipaddr from 'ipaddr.js'

/** Where a proxy may be, and no caller from the internet. */
const PRIVATE: readonly string[] = ['loopback', 'private', 'linkLocal', 'uniqueLocal', 'carrierGradeNat']

/** Says which callers share a budget by their address. */
export class Addresses {
  #only: string | undefined
  #several = false

  /** Takes note of where a request comes from. */
  note(ip: string | undefined): void {
    if (ip === this.#only || ip === undefined) return
    if (this.#only === undefined) this.#only = ip
    else this.#several = true
  }

  /**
   * Returns the key of an address: the address itself, of IPv6 its /64, which one customer has. Null where nothing can be told
   * by it: there is none, or every request so far came from one private address, so that a proxy hides who is behind.
   */
  keyOf(ip: string | undefined): string | null {
    if (ip === undefined || !ipaddr.isValid(ip)) return null
    const address = ipaddr.process(ip) // takes ::ffff:127.0.0.1 for what it is
    const key = address.kind() === 'ipv6' ? address.toByteArray().slice(0, 8).join('.') : address.toString()
    return this.#several || !PRIVATE.includes(address.range()) ? key : null
  }
}

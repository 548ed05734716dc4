import { checkOutboundUrl, OutboundError } from '../outbound/outbound-url.ts'

/**
 * Explains why a back-channel logout URI cannot be registered, for the person who registers it; undefined if it can. Its host is
 * resolved and checked again whenever it is called.
 */
export function backchannelUriProblem(uri: string, allowLoopback: boolean): string | undefined {
  if (uri.length > 2048) return 'must have at most 2048 characters'
  // OpenID Connect Back-Channel Logout 1.0 §2.2.
  if (uri.includes('#')) return 'must not have a fragment'
  if (!/^[\x21-\x7e]+$/.test(uri)) return 'must be printable ASCII without spaces'
  try {
    checkOutboundUrl(uri, { allowLoopback })
    return undefined
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    return 'must be an https URL at a public address, with no user name or password'
  }
}

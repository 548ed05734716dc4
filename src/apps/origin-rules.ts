import { isLoopback } from '../base/loopback.ts'

/** Explains why a text cannot be an allowed origin, for the person who registers it; undefined if it can. */
export function originProblem(origin: string): string | undefined {
  if (origin.length > 255) return 'must have at most 255 characters'
  if (!ORIGIN.test(origin) || !URL.canParse(origin)) return SHAPE
  const url = new URL(origin)
  if (REFUSED.includes(url.protocol)) return `must not have the scheme ${url.protocol}`
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  // Compared byte for byte with what a browser sends: lower case, no default port, no trailing slash.
  if (url.origin !== origin) return `must be written as a browser sends it: ${url.origin}`
  return url.protocol === 'https:' || isLoopback(url) ? undefined : 'must use https, except on localhost, 127.0.0.1 or [::1]'
}

const SHAPE = 'must be an origin such as https://app.example.com or capacitor://localhost, without a path'

/** A scheme, a host, and perhaps a port. The host of a scheme that browsers do not know keeps its case. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/

/** Schemes whose pages have no origin of their own, or that are no pages. */
const REFUSED = ['about:', 'blob:', 'data:', 'file:', 'filesystem:', 'ftp:', 'javascript:', 'vbscript:', 'ws:', 'wss:']

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/**
 * Returns the header that ends the connection after the answer, for a request whose body has not arrived in full: Node would go
 * on reading it, however long it is. HTTP/2 ends the stream by itself, and has no such header.
 */
export function closing({ complete, httpVersionMajor }: Pick<IncomingMessage, 'complete' | 'httpVersionMajor'>): {
  readonly connection?: 'close'
} {
  return complete || httpVersionMajor !== 1 ? {} : { connection: 'close' }
}

const NO_QUERY = new URLSearchParams()

/** Splits a raw request target. Only origin-form and absolute-form reach a route (RFC 9112 §3.2). */
export function splitUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '')
  const mark = target.indexOf('?')
  if (mark < 0) return { path: target, query: NO_QUERY }
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) }
}

/**
 * Reads a message's headers. Node keeps the first of several Authorization headers and drops the rest, so a proxy and this
 * server could authenticate two different clients: here they are joined, which makes every credential invalid.
 */
export function readHeaders(message: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): IncomingHttpHeaders {
  const { headers, rawHeaders } = message
  if (headers.authorization === undefined) return headers
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.length === 13 && rawHeaders[index]?.toLowerCase() === 'authorization') count++
  }
  return count < 2 ? headers : { ...headers, authorization: `${headers.authorization}, and ${count - 1} more` }
}

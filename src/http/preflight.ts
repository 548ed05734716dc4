import type { IncomingHttpHeaders } from 'node:http'
import type { HttpResponse } from './types.ts'

/** Tells whether a request is a preflight of a browser: a question about another one. */
export function isPreflight({ headers, method }: { readonly headers: IncomingHttpHeaders; readonly method: string }): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
}

/** Answers a preflight: pages of `origin`, or of any (`*`), may send the request with these methods. */
export function allowPreflight(headers: IncomingHttpHeaders, origin: string | undefined, methods: string): HttpResponse {
  return {
    status: 204,
    headers: {
      ...(origin === undefined ? {} : { 'access-control-allow-origin': origin }),
      'access-control-allow-methods': methods,
      'access-control-allow-headers': allowedHeaders(headers),
      'access-control-max-age': '600',
      'cache-control': 'no-store',
      vary: 'origin, access-control-request-method, access-control-request-headers',
    },
    body: '',
  }
}

/**
 * Returns the headers that a page may send: those it asks for. Instrumented browsers add some of their own (`traceparent`,
 * `sentry-trace`). No header is a risk, because none of these routes reads a cookie: any program could send the same request.
 */
function allowedHeaders(headers: IncomingHttpHeaders): string {
  const asked = headers['access-control-request-headers']
  return asked !== undefined && /^[\w!#$%&'*+.^`|~, -]{1,1000}$/.test(asked) ? asked : 'authorization, content-type, dpop'
}

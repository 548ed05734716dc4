import type { HttpResponse } from './types.ts'

/** Makes a JSON answer that no cache stores (RFC 6749 §5.1). */
export function json(status: number, body: object, headers?: Readonly<Record<string, string>>): HttpResponse {
  return { status, headers: headers ? { ...JSON_HEADERS, ...headers } : JSON_HEADERS, body: JSON.stringify(body) }
}

/** Makes the answer of {@link json} from a text that is JSON. */
export function jsonText(status: number, body: string): HttpResponse {
  return { status, headers: JSON_HEADERS, body }
}

/** Makes a page. `policy` is its Content-Security-Policy, which must allow everything the page does. */
export function html(status: number, body: string, policy: string): HttpResponse {
  return { status, headers: { ...HTML_HEADERS, 'content-security-policy': policy }, body }
}

export function redirect(status: 302 | 303, location: string): HttpResponse {
  return { status, headers: { ...BASE_HEADERS, location, 'referrer-policy': 'no-referrer' }, body: '' }
}

export function empty(status: number, headers?: Readonly<Record<string, string>>): HttpResponse {
  return { status, headers: headers ? { ...BASE_HEADERS, ...headers } : BASE_HEADERS, body: '' }
}

const BASE_HEADERS = Object.freeze({
  'cache-control': 'no-store',
  pragma: 'no-cache',
  'x-content-type-options': 'nosniff',
})
const JSON_HEADERS = Object.freeze({ ...BASE_HEADERS, 'content-type': 'application/json; charset=utf-8' })
const HTML_HEADERS = Object.freeze({
  ...BASE_HEADERS,
  'content-type': 'text/html; charset=utf-8',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
})

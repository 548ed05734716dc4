import type { IncomingHttpHeaders } from 'node:http'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'form'; readonly form: URLSearchParams }
  | { readonly kind: 'json'; readonly json: unknown }
  /** Wrong media type, malformed, or too large: the flow decides how to say so. */
  | { readonly kind: 'unreadable'; readonly status: 400 | 413 | 415; readonly reason: string }

/** One HTTP request, in no framework's terms. `Native` is the framework's own request type. */
export interface HttpRequest<Native = unknown> {
  readonly method: string
  /** Path parameters, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  /** Parsed here from the raw URL, so repeated names survive whatever parser the host configured. */
  readonly query: URLSearchParams
  /** Node's lower-cased headers, by reference. */
  readonly headers: IncomingHttpHeaders
  readonly body: Body
  readonly ip: string | undefined
  /** The framework's own request, handed to host callbacks such as `authenticate`. Flows never read it. */
  readonly native: Native
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Already serialised. Empty string: no body. */
  readonly body: string
}

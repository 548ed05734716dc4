import type { IncomingHttpHeaders } from 'node:http'

/** The HTTP methods of the routes. */
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** The body of a request, already parsed. */
export type Body =
  | {
      /** There is none. */
      readonly kind: 'none'
    }
  | {
      /** `application/x-www-form-urlencoded`. */
      readonly kind: 'form'
      /** Its fields; repeated names stay repeated. */
      readonly form: URLSearchParams
    }
  | {
      /** `application/json`. */
      readonly kind: 'json'
      /** The parsed value. */
      readonly json: unknown
    }
  | {
      /** The body has a wrong media type, is malformed, or is too large. */
      readonly kind: 'unreadable'
      /** The HTTP status with which to answer. */
      readonly status: 400 | 413 | 415
      /** Why, for the client's developer. */
      readonly reason: string
    }

/** An HTTP request, independent of a framework. `Native` is the framework's own request type. */
export interface HttpRequest<Native = unknown> {
  /** The method, in upper case. */
  readonly method: string
  /** Path parameters, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  /** Parsed here from the raw URL, so repeated names survive whatever parser the host configured. */
  readonly query: URLSearchParams
  /** Node's lower-cased headers, by reference. */
  readonly headers: IncomingHttpHeaders
  /** The parsed body. */
  readonly body: Body
  /** The client's address, as the framework reports it. */
  readonly ip: string | undefined
  /** The framework's own request, passed to hooks such as `authenticate`. Flows never read it. */
  readonly native: Native
}

/** An HTTP response, independent of a framework. */
export interface HttpResponse {
  /** The status code. */
  readonly status: number
  /** The headers, with lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** The serialised body. Empty string: none. */
  readonly body: string
}

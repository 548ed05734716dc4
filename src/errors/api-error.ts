/** Error codes of the management API. */
export type ApiErrorCode =
  | 'VALIDATION_ERROR'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'CONFLICT'
  | 'TOO_MANY_REQUESTS'
  | 'BAD_GATEWAY'
  | 'UNAVAILABLE'
  | 'INTERNAL'

const STATUS: Readonly<Record<ApiErrorCode, number>> = {
  VALIDATION_ERROR: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  TOO_MANY_REQUESTS: 429,
  BAD_GATEWAY: 502,
  UNAVAILABLE: 503,
  INTERNAL: 500,
}

/** The optional parts of an {@link ApiError}. */
export interface ApiErrorOptions {
  /** The error behind it. Logged, never sent. */
  readonly cause?: unknown
  /** The HTTP status. Default: that of the code. */
  readonly status?: number
  /** Further headers of the answer. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
}

/** One problem of an input. */
export interface Problem {
  /** The field, as in `redirectUris.0`. */
  readonly path: string
  /** The rule that the field breaks. */
  readonly message: string
}

/** An error of the management API. */
export class ApiError extends Error {
  /** Always `ApiError`. */
  override readonly name = 'ApiError'
  /** HTTP status of the answer. */
  readonly status: number
  /** The code, which programs may rely on. */
  readonly code: ApiErrorCode
  /** Every problem of the input, each with its path. */
  readonly details: readonly Problem[]

  /** Further headers of the answer, such as `retry-after`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ApiErrorCode, message: string, details: readonly Problem[] = [], options: ApiErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.status = options.status ?? STATUS[code]
    this.details = details
    this.headers = options.headers ?? {}
  }
}

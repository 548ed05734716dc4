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

export interface ApiErrorOptions {
  readonly cause?: unknown
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** One thing that is wrong with an input. `path` names the field, as in `redirectUris.0`. */
export interface Problem {
  readonly path: string
  readonly message: string
}

/** Something a caller of the management API did. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: ApiErrorCode
  /** Every problem of the input, each with its path. */
  readonly details: readonly Problem[]

  /** Headers that say more, such as when to try again. */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ApiErrorCode, message: string, details: readonly Problem[] = [], options: ApiErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.status = options.status ?? STATUS[code]
    this.details = details
    this.headers = options.headers ?? {}
  }
}

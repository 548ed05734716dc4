export type ApiErrorCode =
  | 'VALIDATION_ERROR'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'TOO_MANY_REQUESTS'
  | 'UNAVAILABLE'
  | 'INTERNAL'

const STATUS: Readonly<Record<ApiErrorCode, number>> = {
  VALIDATION_ERROR: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  TOO_MANY_REQUESTS: 429,
  UNAVAILABLE: 503,
  INTERNAL: 500,
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

  constructor(code: ApiErrorCode, message: string, details: readonly Problem[] = [], options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.code = code
    this.status = STATUS[code]
    this.details = details
  }
}

/** The most methods that are kept of one authentication. */
const MAX_METHODS = 20

/**
 * The problem of an `acr` or `amr` that the host gives; undefined where it has none. Both are compared and listed with spaces
 * between them, and stand in quoted header values.
 */
export function problemOfAuthentication({ acr, amr }: { readonly acr?: unknown; readonly amr?: unknown }): string | undefined {
  if (acr !== undefined && !isAuthenticationName(acr)) return `acr ${MUST}`
  if (amr === undefined) return undefined
  return Array.isArray(amr) && amr.length <= MAX_METHODS && amr.every(isAuthenticationName)
    ? undefined
    : `amr must be an array of at most ${MAX_METHODS} names, and each ${MUST}`
}

/** Whether this may be the name of an authentication context or method. */
export function isAuthenticationName(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(value)
}

const MUST = 'must have 1 to 255 printable characters, without spaces, quotes and backslashes'

import type { SessionFacts } from '../options/rules.ts'

/** Reads what a grant's context, or the signed-in user, says of the login. */
export function sessionFacts(known: {
  readonly acr?: unknown
  readonly amr?: unknown
  readonly authTime?: unknown
}): SessionFacts {
  const { acr, amr, authTime } = known
  return {
    authTime: typeof authTime === 'number' ? authTime : null,
    acr: typeof acr === 'string' ? acr : null,
    amr: Array.isArray(amr) ? amr.filter(method => typeof method === 'string') : [],
  }
}

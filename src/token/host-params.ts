import type { TokenRequest } from './grant.ts'

/** Returns the parameters of a token request without the client's credentials. */
export function paramsForHost({ params }: TokenRequest): ReadonlyMap<string, string> {
  return new Map([...params].filter(([name]) => !CREDENTIALS.has(name)))
}

const CREDENTIALS = new Set(['client_secret', 'client_assertion', 'client_assertion_type'])

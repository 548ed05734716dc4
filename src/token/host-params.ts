import type { TokenRequest } from './grant.ts'

/** The parameters of a token request without what authenticates the client. */
export function paramsForHost({ params }: TokenRequest): ReadonlyMap<string, string> {
  return new Map([...params].filter(([name]) => !CREDENTIALS.has(name)))
}

const CREDENTIALS = new Set(['client_secret', 'client_assertion', 'client_assertion_type'])

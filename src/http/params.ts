import { OAuthError } from '../errors/oauth-error.ts'
import type { HttpRequest } from './types.ts'

/**
 * The parameters of one request, each a single string; several of those that may be repeated are joined with spaces. A parameter without a value
 * counts as omitted (RFC 6749 §3.1, §3.2).
 */
export type Params = ReadonlyMap<string, string>

/** The parameters that may be given more than once: RFC 8707 §2, and the check boxes of our own form. */
const REPEATABLE: ReadonlySet<string> = new Set(['resource', 'optional_scope'])

/** Parameters that must not be in the URL of a POST: URLs are logged (RFC 6749 §2.3.1, §3.2). */
const BODY_ONLY = [
  'grant_type',
  'client_assertion',
  'client_assertion_type',
  'client_id',
  'client_secret',
  'code',
  'device_code',
  'code_verifier',
  'redirect_uri',
  'refresh_token',
  'scope',
  'token',
  'token_type_hint',
  'resource',
  'state',
  'consent',
  'consent_id',
  'optional_scope',
]

/** Reads every parameter. Throws `invalid_request` for one that is given twice (RFC 6749 §3.1, §3.2). */
export function readParams(source: URLSearchParams): Params {
  const params = new Map<string, string>()
  // Made where there is one: hardly any request has.
  let omitted: Set<string> | undefined
  source.forEach((value, name) => {
    const before = params.get(name)
    if ((before !== undefined || omitted?.has(name)) && !REPEATABLE.has(name)) {
      throw new OAuthError('invalid_request', `${printableName(name)} is given more than once`)
    }
    if (value !== '') params.set(name, before === undefined ? value : `${before} ${value}`)
    else omitted = (omitted ?? new Set()).add(name)
  })
  return params
}

/** Reads the parameters of a POST, form or JSON. Throws `invalid_request` with 400, 413 or 415 if the body is absent or unreadable. */
export function requireForm(request: HttpRequest): Params {
  const { body, query } = request
  if (query.size > 0) {
    const misplaced = BODY_ONLY.find(name => query.has(name))
    if (misplaced) throw new OAuthError('invalid_request', `${misplaced} must be sent in the body, not in the URL`)
  }
  switch (body.kind) {
    case 'form':
      return readParams(body.form)
    case 'json':
      return readJsonParams(body.json)
    case 'unreadable':
      throw new OAuthError('invalid_request', body.reason, { status: body.status })
    case 'none':
      throw new OAuthError('invalid_request', 'the request has no body')
  }
}

/** Returns a required parameter. Throws `invalid_request` if it is absent. */
export function one(params: Params, name: string): string {
  const value = optional(params, name)
  if (value === undefined) throw new OAuthError('invalid_request', `${name} is required`)
  return value
}

/** Returns a parameter; undefined if it is absent. */
export function optional(params: Params, name: string): string | undefined {
  return params.get(name)
}

function readJsonParams(json: unknown): Params {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new OAuthError('invalid_request', 'the body must be a JSON object')
  }
  const params = new Map<string, string>()
  for (const [name, value] of Object.entries(json)) {
    if (typeof value !== 'string') throw new OAuthError('invalid_request', `${printableName(name)} must be a string`)
    if (value !== '') params.set(name, value)
  }
  return params
}

/** Returns a parameter's name if it can be quoted in an error, else a stand-in. */
export function printableName(name: string): string {
  return /^\w{1,40}$/.test(name) ? name : 'a parameter'
}

import type { IncomingHttpHeaders } from 'node:http'
import type { GrantApp } from './grants.ts'
import type { Kind } from './kinds.ts'
import { quote } from './place.ts'

/** As much of a request as a way of client authentication of the host's reads. */
export interface ClientAuthenticationRequest {
  /** Lower-cased headers. */
  readonly headers: IncomingHttpHeaders
  /** Parameters of the body, each once. */
  readonly params: ReadonlyMap<string, string>
}

/** A way of the host's in which apps prove who they are (RFC 6749 §2.3.2). Apps are registered for it by `registerApp`. */
export interface HostClientAuthentication {
  /** As an app is registered for it, and as metadata lists it: letters, digits and `. _ -` (RFC 7591 §4.2). */
  readonly name: string
  /**
   * Reads the credentials of this method from a request, before anything is proven; undefined if there are none. Not async: what takes
   * time is for `prove`, which is handed `proof`. What it throws as OAuthError is answered to the client.
   */
  readonly present: (request: ClientAuthenticationRequest) =>
    | {
        /** The `client_id` of the app that the request says it is. */
        readonly clientId: string
        /** Whatever `prove` needs. */
        readonly proof: string
      }
    | undefined
  /**
   * Whether the proof is this app's, within `hookTimeoutMs`. Anything but `true` is no. What it throws is logged and answered 500.
   * Called only for apps that are registered for this method.
   */
  readonly prove: (app: GrantApp, proof: string) => boolean | Promise<boolean>
}

const RESERVED = new Set([
  'none',
  'client_secret',
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
])
const FIELDS = ['name', 'present', 'prove']

/** Ways of client authentication of the host's own. */
export const clientAuthentication: Kind<readonly HostClientAuthentication[]> = {
  read(value, place) {
    if (!Array.isArray(value)) return place.refuse('must be an array of methods, such as [{ name, present, prove }]')
    const problems = methodProblems(value)
    for (const problem of problems) place.add(problem)
    return problems.length === 0 ? [...value] : undefined
  },
}

function methodProblems(methods: readonly unknown[]): readonly string[] {
  const problems: string[] = []
  const names = new Set<unknown>()
  for (const [index, method] of methods.entries()) {
    const at = `clientAuthentication[${index}]`
    if (typeof method !== 'object' || method === null) {
      problems.push(`${at} must be an object with name, present and prove`)
      continue
    }
    const { name, present, prove } = method as Readonly<Record<string, unknown>>
    for (const field of Object.keys(method)) if (!FIELDS.includes(field)) problems.push(`${at}.${field} is not part of a method`)
    if (typeof name !== 'string' || !/^[\w.-]{1,100}$/.test(name))
      problems.push(`${at}.name must be letters, digits and . _ -: ${quote(name)} is not`)
    else if (RESERVED.has(name)) problems.push(`${at}.name ${name} is a method of the standards, which only authmount may define`)
    if (names.has(name)) problems.push(`${at}: there are two methods with the name ${quote(name)}`)
    names.add(name)
    if (typeof present !== 'function') problems.push(`${at}.present must be a function`)
    if (typeof prove !== 'function') problems.push(`${at}.prove must be a function`)
  }
  return problems
}

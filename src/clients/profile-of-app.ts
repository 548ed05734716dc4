import type { ProfileRules } from '../options/profile.ts'
import type { App } from '../store/store.ts'
import { redirectUriProblem } from './redirect-uri-rules.ts'

/** Why an app contradicts the profile of the server. */
export interface ProfileProblem {
  /** The field of the apps API. */
  readonly path: string
  /** Words that follow the name of the field. */
  readonly message: string
}

/** Names every field of an app that contradicts the profile of the server; empty where it has none, or the app fits. */
export function profileProblems(
  { authMethod, redirectUris }: Pick<App, 'authMethod' | 'redirectUris'>,
  { authMethods, httpsRedirectsOnly, name }: ProfileRules,
): readonly ProfileProblem[] {
  if (name === null) return []
  const problems: ProfileProblem[] = []
  const demanded = `: the profile ${name} demands it`
  if (authMethods && !authMethods.includes(authMethod))
    problems.push({ path: 'tokenEndpointAuthMethod', message: `must be ${authMethods.join(' or ')}${demanded}` })
  for (const [index, uri] of redirectUris.entries()) {
    const path = `redirectUris.${index}`
    if (httpsRedirectsOnly && !uri.startsWith('https://')) problems.push({ path, message: `must use https${demanded}` })
    else if (redirectUriProblem(uri, []) !== undefined)
      problems.push({ path, message: `must not have a private scheme that is not in reverse-domain form${demanded}` })
  }
  return problems
}

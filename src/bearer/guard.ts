import { renderChallenge } from '../http/challenge.ts'
import { resourceMetadataUrl } from '../http/resource-metadata-url.ts'
import type { Config } from '../options/config.ts'
import { DeadlineStore } from '../store/deadline-store.ts'
import type { Deadlines } from '../store/deadlines.ts'
import { readWantedAuthentication } from '../tokens/authentication.ts'
import { bearerToken, type TokenGuard, type TokenRequirements } from '../tokens/token-guard.ts'
import { type BearerRequirements, findBearer, tokenInfo } from './bearer.ts'

/** Makes a guard that reads the server's own store. Throws TypeError for a requirement that cannot be met. */
export function createGuard(
  requirements: TokenRequirements | undefined,
  { config, deadlines }: { readonly config: Config<never>; readonly deadlines: Deadlines },
): TokenGuard {
  const required = readRequirements(requirements, config)
  const { scopes } = required
  const challenge = { issuer: config.issuer, log: config.log, metadata: resourceMetadataUrl(required.resource) }
  return ({ headers }) => {
    const token = bearerToken(headers.authorization)
    if (token === undefined) return Promise.resolve({ refusal: renderChallenge(undefined, scopes, challenge) })
    // Hot path, before every guarded host route: two callbacks in place of `async` and `finally`, which add promises.
    const store = new DeadlineStore(config.store, deadlines)
    return findBearer(token, required, { store, now: config.now() }).then(
      found => {
        store.release()
        return { oauth: tokenInfo(found) }
      },
      error => {
        store.release()
        return { refusal: renderChallenge(error, scopes, challenge) }
      },
    )
  }
}

/** Checks requirements strictly, because a guard that ignored a misspelt one would let everyone in. Throws TypeError. */
export function readRequirements(
  requirements: TokenRequirements = {},
  { resources, scopes: catalogue }: Config<never>,
): Required<BearerRequirements> {
  const example = "{ scopes: ['read:records'] }"
  if (typeof requirements !== 'object' || requirements === null || Array.isArray(requirements)) {
    throw new TypeError(`the requirements of a route must be an object such as ${example}`)
  }
  for (const name of Object.keys(requirements)) {
    if (!REQUIREMENTS.includes(name))
      throw new TypeError(`${name} is not something a route can require of a token: use ${example}`)
  }
  const { resource = resources[0], scopes = [] } = requirements
  if (!resources.includes(resource))
    throw new TypeError(`${resource} is not one of this server's resources: ${resources.join(', ')}`)
  if (!Array.isArray(scopes)) throw new TypeError(`scopes must be an array, as in ${example}`)
  for (const scope of scopes) {
    if (!catalogue.has(scope))
      throw new TypeError(`${scope} is not one of this server's scopes: ${[...catalogue.keys()].join(', ')}`)
  }
  return { scopes: [...scopes], resource, authentication: readWantedAuthentication(requirements) }
}

const REQUIREMENTS: readonly string[] = ['scopes', 'resource', 'acr', 'maxAge'] satisfies (keyof TokenRequirements)[]

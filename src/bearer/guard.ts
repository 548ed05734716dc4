import type { Events } from '../base/events.ts'
import { renderChallenge } from '../http/challenge.ts'
import { splitUrl } from '../http/node-message.ts'
import { resourceMetadataUrl } from '../http/resource-metadata-url.ts'
import type { Config } from '../options/config.ts'
import type { Services } from '../options/context.ts'
import { DeadlineStore } from '../store/deadline-store.ts'
import type { Deadlines } from '../store/deadlines.ts'
import { readWantedAuthentication } from '../tokens/authentication.ts'
import { bearerToken, boundToken, type GuardedRequest, type TokenGuard, type TokenRequirements } from '../tokens/token-guard.ts'
import { type BearerRequirements, findBearer, tokenInfo } from './bearer.ts'
import { findBound } from './bound.ts'
import { findUsable } from './use.ts'

/** Makes a guard that reads the server's own store. Throws TypeError for a requirement that cannot be met. */
export function createGuard(
  requirements: TokenRequirements | undefined,
  runtime: {
    readonly config: Config<never>
    readonly deadlines: Deadlines
    readonly events: Events
    readonly services: Services
  },
): TokenGuard {
  const { config, deadlines, events } = runtime
  const required = readRequirements(requirements, config)
  const { scopes } = required
  const find = config.policyAtUse ? findUsable : findBearer
  const challenge = { issuer: config.issuer, log: config.log, metadata: resourceMetadataUrl(required.resource) }
  const boundChallenge = { ...challenge, proofAlgorithms: runtime.services.proofs.algorithms }
  const withoutToken = config.dpop === 'required' ? boundChallenge : challenge

  async function checkBound(token: string, request: GuardedRequest): ReturnType<TokenGuard> {
    const store = new DeadlineStore(config.store, deadlines)
    try {
      const urls = urlsOf(request, required.resource, config)
      const context = { config, events, now: config.now(), services: runtime.services, store }
      const { found, headers } = await findBound(token, request, { ...required, urls }, context)
      return { oauth: tokenInfo(found), headers }
    } catch (error) {
      return { refusal: renderChallenge(error, scopes, boundChallenge) }
    } finally {
      store.release()
    }
  }

  return request => {
    const { authorization } = request.headers
    const token = bearerToken(authorization)
    if (token === undefined) {
      const bound = boundToken(authorization)
      if (bound !== undefined) return checkBound(bound, request)
      return Promise.resolve({ refusal: renderChallenge(undefined, scopes, withoutToken) })
    }
    // Hot path, before every guarded host route: two callbacks in place of `async` and `finally`, which add promises.
    const store = new DeadlineStore(config.store, deadlines)
    return find(token, required, { config, events, store, now: config.now() }).then(
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

/**
 * The URLs by which clients may call a guarded route: its path on the issuer's origin, below what a proxy removes, and on the
 * origin of its resource. Never the `Host` of the request, which its sender chooses.
 */
function urlsOf({ url }: GuardedRequest, resource: string, { origin, proxyPath }: Config<never>): readonly string[] {
  const { path } = splitUrl(url)
  const own = `${origin}${proxyPath}${path}`
  const other = new URL(resource).origin
  return other === origin ? [own] : [own, `${other}${path}`]
}

/** Checks requirements strictly, because a guard that ignored a misspelt one would let everyone in. Throws TypeError. */
export function readRequirements(
  requirements: TokenRequirements = {},
  { resources, scopes: catalogue }: Config<never>,
): Required<Omit<BearerRequirements, 'bound'>> {
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

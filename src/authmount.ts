import type { NewApp } from './apps/app-input.ts'
import { type AppOwner, type RegisteredApp, registerApp } from './apps/register-app.ts'
import { readConfig } from './config.ts'
import type { Context } from './context.ts'
import { renderChallenge } from './errors/render.ts'
import { createEvents } from './events.ts'
import { GuardedStore } from './guarded-store.ts'
import { dispatch } from './http/dispatch.ts'
import { type Endpoint, endpointFinder, listEndpoints } from './http/routes.ts'
import type { HttpRequest, HttpResponse } from './http/types.ts'
import { bearerToken, checkBearer, type TokenInfo } from './oauth/bearer.ts'
import type { AuthmountOptions, Log } from './options.ts'

/** What a protected route asks of an access token. */
export interface TokenRequirements {
  /** All of these. Default: any valid token will do. */
  readonly scopes?: readonly string[]
}

/** An authorization server, ready to be mounted. `Native` is the request type of the framework it will be mounted on. */
export interface Authmount<Native = unknown> {
  /** Every path it serves. */
  readonly endpoints: readonly Endpoint[]
  readonly mountPath: string
  readonly log: Log
  /** The endpoint of a path, if it is one of ours. */
  find(path: string): Endpoint | undefined
  /** Answers a request to one of our endpoints. Never rejects. */
  dispatch(endpoint: Endpoint, request: HttpRequest<Native>): Promise<HttpResponse>
  /**
   * Checks an access token (without the word `Bearer`).
   * Rejects with OAuthError `invalid_token` or `insufficient_scope`, or with StoreError when the store does not answer.
   */
  checkToken(token: string, requirements?: TokenRequirements): Promise<TokenInfo>
  /** Checks an Authorization header for a protected route: what the token says, or the answer to send instead (RFC 6750 §3). */
  checkRequest(
    authorization: string | undefined,
    requirements?: TokenRequirements,
  ): Promise<{ readonly oauth: TokenInfo } | { readonly refusal: HttpResponse }>
  /**
   * Registers an app from the host's own code, as a set-up script would.
   * Rejects with ApiError VALIDATION_ERROR that names every problem, or with StoreError.
   */
  registerApp(app: NewApp, owner: AppOwner): Promise<RegisteredApp>
}

/** Builds an authorization server. Throws OptionsError, listing every problem, when the options cannot work. */
export function createAuthmount<Native = unknown>(options: AuthmountOptions<Native>): Authmount<Native> {
  const config = readConfig(options)
  const events = createEvents(options.onEvent, config.log)
  const endpoints = listEndpoints(config)

  async function withContext<T>(run: (context: Context) => Promise<T>): Promise<T> {
    const store = new GuardedStore(config.store, config.storeTimeoutMs)
    try {
      return await run({ config, store, events, principal: null, now: config.now() })
    } finally {
      store.release()
    }
  }

  return {
    endpoints,
    mountPath: config.mountPath,
    log: config.log,
    find: endpointFinder(endpoints),
    dispatch: (endpoint, request) => dispatch(endpoint, request, { config, events }),
    checkToken: (token, { scopes = [] } = {}) => withContext(context => checkBearer(token, scopes, context)),
    async checkRequest(authorization, { scopes = [] } = {}) {
      const token = bearerToken(authorization)
      if (token === undefined) return { refusal: renderChallenge(undefined, scopes, config) }
      try {
        return { oauth: await withContext(context => checkBearer(token, scopes, context)) }
      } catch (error) {
        return { refusal: renderChallenge(error, scopes, config) }
      }
    },
    registerApp: (app, owner) => withContext(context => registerApp(app, owner, context)),
  }
}

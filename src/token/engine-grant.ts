import { withTimeout } from '../base/timeout.ts'
import { appForHost } from '../clients/app-for-host.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { EngineGrant, GrantOwner } from '../options/grants.ts'
import { FormRequest } from './engine.ts'
import { engineErrorCode } from './engine-error.ts'
import type { TokenRequest } from './grant.ts'
import { issueForHost } from './host-issue.ts'
import { paramsForHost } from './host-params.ts'
import type { Issued } from './issue.ts'

/** A host's grant class that was written for the engine. */
interface EngineGrantInstance {
  handle(request: FormRequest, client: object): unknown
}
type EngineGrantConstructor = new (options: object) => EngineGrantInstance

/** The argument of `saveToken`. None of it is trusted. */
interface OfferedToken {
  readonly refreshToken?: unknown
  readonly scope?: unknown
  readonly accessTokenExpiresAt?: unknown
  readonly refreshTokenExpiresAt?: unknown
}

/**
 * Runs a grant that was written for @node-oauth/oauth2-server. The class checks what the request presents, with the methods of
 * the host's model; its `saveToken` is ours, which checks scopes, user and lifetimes again and returns our tokens.
 * Errors of the engine are recognised by name, since the class may bring its own copy of the engine.
 */
export async function handleByEngine(extension: EngineGrant, request: TokenRequest, context: Context): Promise<Issued> {
  const { name } = extension
  const app = appForHost(request.app)
  const client = {
    ...(await extension.legacyClient?.(app)),
    id: app.clientId,
    grants: [...app.allowedGrantTypes],
    redirectUris: [...app.redirectUris],
    accessTokenLifetime: app.accessTokenLifetime,
    refreshTokenLifetime: app.refreshTokenLifetime,
  }
  const model = new HostModel(extension, request, context)
  const Grant = extension.grantType as unknown as EngineGrantConstructor
  try {
    const grant = new Grant({
      model: model.methods(client),
      accessTokenLifetime: app.accessTokenLifetime,
      refreshTokenLifetime: app.refreshTokenLifetime,
      alwaysIssueNewRefreshToken: true,
    })
    const body = { ...Object.fromEntries(paramsForHost(request)), client_id: app.clientId }
    const run = async () => grant.handle(new FormRequest(body, headersFor(request)), client)
    await withTimeout(run, context.config.hookTimeoutMs, `the grant ${name}`)
  } catch (error) {
    throw model.failure ?? toOAuthError(error)
  } finally {
    model.close()
  }
  if (model.failure) throw model.failure
  if (!model.issued) throw new TypeError(`the grant ${name} returned without calling saveToken`)
  return model.issued
}

/** The model of one request: the host's methods, and ours for clients, scopes and tokens. */
class HostModel {
  issued: Issued | undefined
  /** The error that refuses the request even if the class swallows it and goes on. */
  failure: unknown
  readonly #extension: EngineGrant
  readonly #request: TokenRequest
  readonly #context: Context
  #closed = false

  constructor(extension: EngineGrant, request: TokenRequest, context: Context) {
    this.#extension = extension
    this.#request = request
    this.#context = context
  }

  /** Makes every later `saveToken` fail. */
  close(): void {
    this.#closed = true
  }

  methods(client: object): object {
    const host = (this.#extension.model ?? {}) as Readonly<Record<string, unknown>>
    return Object.assign(Object.create(host) as object, {
      getClient: async () => client,
      saveToken: (token: OfferedToken, _client: unknown, user: unknown) => this.#save(token, user),
      validateScope: (user: unknown, of: unknown, scope: unknown) => this.#validateScope(host, user, of, scope),
    })
  }

  async #save(token: OfferedToken, user: unknown): Promise<object> {
    try {
      if (this.failure) throw this.failure
      if (this.#closed)
        throw new TypeError(`the grant ${this.#extension.name} may call saveToken once, before its request is answered`)
      this.#closed = true
      const owner: GrantOwner = await this.#extension.owner(user as never)
      const accessTokenSeconds = this.#secondsUntil(token.accessTokenExpiresAt)
      const refreshTokenSeconds = this.#secondsUntil(token.refreshTokenExpiresAt)
      const issued = await issueForHost(
        this.#extension.name,
        {
          userId: owner?.userId,
          orgId: owner?.orgId,
          scopes: scopesOf(token.scope),
          refreshable: Boolean(token.refreshToken),
          accessTokenSeconds,
          refreshTokenSeconds,
        },
        this.#request,
        this.#context,
      )
      this.issued = issued
      const { accessToken, expiresInSeconds, refreshToken, scopes } = issued
      const accessTokenExpiresAt = new Date(this.#context.now + expiresInSeconds * 1000)
      const made = { accessToken, accessTokenExpiresAt, refreshToken, scope: [...scopes] }
      return { ...token, ...made, client: { id: issued.app.id }, user: user ?? {} }
    } catch (error) {
      this.failure = toOAuthError(error)
      throw error
    }
  }

  /**
   * Never rejects: `AbstractGrantType.validateScope` is async, and a class that does not await it would turn a refusal into an
   * unhandled rejection, which ends the process. The refusal is kept in `failure`, and stops `saveToken`.
   */
  async #validateScope(
    host: Readonly<Record<string, unknown>>,
    user: unknown,
    client: unknown,
    scope: unknown,
  ): Promise<unknown> {
    const asked = scope === undefined || scope === null || scope === '' ? NO_SCOPE : scope
    if (typeof host.validateScope !== 'function') return asked
    try {
      const validated: unknown = await host.validateScope(user, client, scope)
      if (validated) return validated
      this.failure = new OAuthError('invalid_scope', 'scope asks for something that may not be granted')
    } catch (error) {
      this.failure = toOAuthError(error)
    }
    return asked
  }

  /** Converts an expiry date of the class to a lifetime in seconds; undefined if the class names none. */
  #secondsUntil(date: unknown): number | undefined {
    if (date === undefined || date === null) return undefined
    if (!(date instanceof Date) || Number.isNaN(date.getTime()))
      throw new TypeError(`the grant ${this.#extension.name} names an expiry that is not a Date`)
    // The class computed the date from `Date.now()`, not from the host's clock.
    return Math.ceil((date.getTime() - Date.now()) / 1000)
  }
}

/** The result of `validateScope` if no scope was asked for: truthy, and empty. */
const NO_SCOPE: readonly string[] = Object.freeze([])

/** Reads a list of scopes (engine 5.x) or a text (4.x). Undefined: those of the request, or all of the app's. */
function scopesOf(scope: unknown): readonly string[] | undefined {
  const names: unknown = typeof scope === 'string' ? scope.split(' ').filter(name => name !== '') : scope
  if (names === undefined || names === null) return undefined
  if (!Array.isArray(names) || names.some(name => typeof name !== 'string'))
    throw new TypeError('saveToken was given a scope that is neither a list nor a text')
  return names.length === 0 ? undefined : names
}

/** Returns the headers for the class, without the credentials of the client and the browser. */
function headersFor({ headers }: TokenRequest): Readonly<Record<string, string>> {
  const { authorization: _, cookie: __, 'proxy-authorization': ___, ...rest } = headers
  const given = Object.entries(rest).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(given)
}

/** Converts an error of any copy of the engine to ours. Any other is returned as it is, to be logged and answered as server_error. */
function toOAuthError(error: unknown): unknown {
  if (error instanceof OAuthError) return error
  const code = engineErrorCode(error)
  return code === undefined ? error : new OAuthError(code, (error as Error).message.slice(0, 300), { cause: error })
}

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

/** A class of the host's that was written for the engine: what it is given, and what it may have of a model. */
interface EngineGrantInstance {
  handle(request: FormRequest, client: object): unknown
}
type EngineGrantConstructor = new (options: object) => EngineGrantInstance

/** What such a class hands to `saveToken`. Nothing of it is trusted. */
interface OfferedToken {
  readonly refreshToken?: unknown
  readonly scope?: unknown
  readonly accessTokenExpiresAt?: unknown
  readonly refreshTokenExpiresAt?: unknown
}

/**
 * Runs a grant that was written for @node-oauth/oauth2-server. The class judges what the request presents, with the methods of
 * the host's model; its `saveToken` is ours, which checks scopes, user and lifetimes again and answers with tokens of ours.
 * Errors of any copy of the engine are told by their names, since `instanceof` knows one copy alone.
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

/** The model of one request: the host's methods, and those that decide. */
class HostModel {
  issued: Issued | undefined
  /** What must stop the request even if the class goes on: the class may swallow what it is told. */
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

  /** From now on nothing is issued. */
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
   * Never rejects and never refuses: `AbstractGrantType.validateScope` is async, and a class that does not await it would make
   * of a refusal an unhandled rejection, which ends the process. A refusal is kept, and stops `saveToken`.
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

  /** How long a token would live by a date of the class's own; undefined where it names none. */
  #secondsUntil(date: unknown): number | undefined {
    if (date === undefined || date === null) return undefined
    if (!(date instanceof Date) || Number.isNaN(date.getTime()))
      throw new TypeError(`the grant ${this.#extension.name} names an expiry that is not a Date`)
    // The class read the clock of the machine, a moment ago.
    return Math.ceil((date.getTime() - Date.now()) / 1000)
  }
}

/** What `validateScope` resolves to where nothing was asked for: truthy, and no scope. */
const NO_SCOPE: readonly string[] = Object.freeze([])

/** A list, as in 5.x, or a text, as in 4.x. Nothing named: what the request asks for, or all of the app's. */
function scopesOf(scope: unknown): readonly string[] | undefined {
  const names: unknown = typeof scope === 'string' ? scope.split(' ').filter(name => name !== '') : scope
  if (names === undefined || names === null) return undefined
  if (!Array.isArray(names) || names.some(name => typeof name !== 'string'))
    throw new TypeError('saveToken was given a scope that is neither a list nor a text')
  return names.length === 0 ? undefined : names
}

/** Headers as the class may read them, without the client's and the browser's credentials. */
function headersFor({ headers }: TokenRequest): Readonly<Record<string, string>> {
  const { authorization: _, cookie: __, 'proxy-authorization': ___, ...rest } = headers
  const given = Object.entries(rest).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(given)
}

/** An error of any copy of the engine as one of ours; any other is left as it is, to be logged and answered in fixed words. */
function toOAuthError(error: unknown): unknown {
  if (error instanceof OAuthError) return error
  const code = engineErrorCode(error)
  return code === undefined ? error : new OAuthError(code, (error as Error).message.slice(0, 300), { cause: error })
}

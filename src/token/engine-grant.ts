import { wireId } from '../base/ids.ts'
import { appForHost } from '../clients/app-for-host.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { EngineGrant, GrantOwner } from '../options/grants.ts'
import { FormRequest } from './engine.ts'
import { engineErrorCode } from './engine-error.ts'
import type { TokenRequest } from './grant.ts'
import { type Issue, runForHost } from './host-issue.ts'
import { paramsForHost } from './host-params.ts'
import type { Issued } from './issue.ts'

/** A host's grant class that was written for the engine. */
interface EngineGrantInstance {
  handle(request: FormRequest, client: object): unknown
  readonly validateScope?: unknown
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
export function handleByEngine(extension: EngineGrant, request: TokenRequest, context: Context): Promise<Issued> {
  return runForHost(extension.name, issue => judge(extension, issue, request, context), request, context)
}

async function judge(extension: EngineGrant, issue: Issue, request: TokenRequest, context: Context): Promise<void> {
  const app = appForHost(request.app)
  const { accessTokenLifetime, refreshTokenLifetime } = app
  const methods = new Methods(extension, issue, context)
  const Grant = extension.grantType as unknown as EngineGrantConstructor
  try {
    const client = {
      ...(await extension.legacyClient?.(app)),
      id: app.clientId,
      grants: [...app.allowedGrantTypes],
      redirectUris: [...app.redirectUris],
      accessTokenLifetime,
      refreshTokenLifetime,
    }
    const model = modelWith(extension.model ?? {}, methods.forModel(client))
    const grant = new Grant({ model, accessTokenLifetime, refreshTokenLifetime, alwaysIssueNewRefreshToken: true })
    methods.hearValidations(grant)
    const body = { ...Object.fromEntries(paramsForHost(request)), client_id: app.clientId }
    await grant.handle(new FormRequest(body, headersFor(request)), client)
    await methods.validated()
  } catch (error) {
    throw methods.failure ?? toOAuthError(error)
  }
}

/** The methods of a model that decide, for one request. */
class Methods {
  /** The error that stops the request even if the class goes on: the class may swallow it, or not await it. */
  failure: unknown
  readonly #extension: EngineGrant
  readonly #issue: Issue
  readonly #context: Context
  readonly #validations: Promise<unknown>[] = []

  constructor(extension: EngineGrant, issue: Issue, context: Context) {
    this.#extension = extension
    this.#issue = issue
    this.#context = context
  }

  forModel(client: object): Readonly<Record<string, unknown>> {
    return {
      getClient: async () => client,
      saveToken: (token: OfferedToken, _client: unknown, user: unknown) => this.#heard(this.#save(token, user)),
      validateScope: (...given: readonly unknown[]) => this.#validation(this.#validateScope(given)),
    }
  }

  /**
   * `AbstractGrantType.validateScope` is async: where a class does not await it, a refusal would be an unhandled rejection, which
   * ends the process, and the class would go on. A class that overrides it keeps its own.
   */
  hearValidations(grant: EngineGrantInstance): void {
    const { validateScope } = grant
    if (typeof validateScope !== 'function') return
    const value = (...given: readonly unknown[]) =>
      this.#validation((async (): Promise<unknown> => Reflect.apply(validateScope, grant, given))())
    Reflect.defineProperty(grant, 'validateScope', { configurable: true, writable: true, value })
  }

  /** Waits for every validation that the class has begun. Rejects with the refusal of any. */
  async validated(): Promise<void> {
    await Promise.allSettled(this.#validations)
    if (this.failure) throw this.failure
  }

  async #save(token: OfferedToken, user: unknown): Promise<object> {
    const issued = await this.#issue(async () => {
      await this.validated()
      const owner: GrantOwner = await this.#extension.owner(user as never)
      return {
        userId: owner?.userId,
        orgId: owner?.orgId,
        scopes: scopesOf(token.scope),
        refreshable: Boolean(token.refreshToken),
        accessTokenSeconds: this.#secondsUntil(token.accessTokenExpiresAt),
        refreshTokenSeconds: this.#secondsUntil(token.refreshTokenExpiresAt),
      }
    })
    const { accessToken, expiresInSeconds, refreshToken, scopes } = issued
    const accessTokenExpiresAt = new Date(this.#context.now + expiresInSeconds * 1000)
    const made = { accessToken, accessTokenExpiresAt, refreshToken, scope: [...scopes] }
    return { ...token, ...made, client: { id: wireId(issued.app) }, user: user ?? {} }
  }

  async #validateScope([user, client, scope]: readonly unknown[]): Promise<unknown> {
    const host = (this.#extension.model ?? {}) as Readonly<Record<string, unknown>>
    if (typeof host.validateScope !== 'function') return scope === undefined || scope === null || scope === '' ? NO_SCOPE : scope
    const validated: unknown = await host.validateScope(user, client, scope)
    if (!validated) this.failure ??= new OAuthError('invalid_scope', 'scope asks for something that may not be granted')
    return validated
  }

  #validation<T>(promise: Promise<T>): Promise<T> {
    this.#validations.push(promise)
    return this.#heard(promise)
  }

  /** The same promise, whose rejection stops the request where nobody listens, and not the process. */
  #heard<T>(promise: Promise<T>): Promise<T> {
    promise.catch(error => {
      this.failure ??= toOAuthError(error) ?? new TypeError(`the grant ${this.#extension.name} was refused without an error`)
    })
    return promise
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

/**
 * The host's model with some methods replaced. The others run on the host's own object: it may have private fields, be frozen, or
 * keep a connection that is opened once.
 */
function modelWith(host: object, own: Readonly<Record<string, unknown>>): object {
  // Not a proxy of the host's object: of a frozen one, no property could be replaced.
  const model: object = new Proxy(
    {},
    {
      has: (_, name) => Object.hasOwn(own, name) || Reflect.has(host, name),
      get(_, name) {
        if (Object.hasOwn(own, name)) return own[name as string]
        const value: unknown = Reflect.get(host, name)
        if (typeof value !== 'function') return value
        // Not bound: a function may have properties, as a class of an ORM has.
        return new Proxy(value, { apply: (method, self, given) => Reflect.apply(method, self === model ? host : self, given) })
      },
      set: (_, name, value) => Reflect.set(host, name, value),
      getPrototypeOf: () => Reflect.getPrototypeOf(host),
    },
  )
  return model
}

/** The value of `validateScope` for a request without scopes: truthy, and no scope. */
const NO_SCOPE: readonly string[] = Object.freeze([])

/**
 * A list, as in 5.x, or a text, as in 4.x. Nothing named: what the request asks for, or all of the app's. An empty list names no
 * scope, and is refused: a model that has struck out every scope does not get all of them.
 */
function scopesOf(scope: unknown): readonly string[] | undefined {
  if (scope === undefined || scope === null || scope === NO_SCOPE) return undefined
  const names: unknown = typeof scope === 'string' ? scope.split(' ').filter(name => name !== '') : scope
  if (!Array.isArray(names) || names.some(name => typeof name !== 'string'))
    throw new TypeError('saveToken was given a scope that is neither a list nor a text')
  return names
}

/** Returns the headers for the class, without the credentials of the client and the browser. */
function headersFor({ headers }: TokenRequest): Readonly<Record<string, string>> {
  const { authorization: _, cookie: __, 'proxy-authorization': ___, ...rest } = headers
  const given = Object.entries(rest).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(given)
}

/** Converts an error of any copy of the engine to ours. Any other is returned as it is, to be logged and answered as server_error. */
function toOAuthError(error: unknown): unknown {
  const code = engineErrorCode(error)
  if (code === undefined) return error
  const { inner, message } = error as Error & { readonly inner?: unknown }
  // An engine's error that was made from another has the words of that one, which may be a driver's.
  const description = inner === undefined ? message.slice(0, 300) : 'the grant refused what the request presents'
  return new OAuthError(code, description, { cause: error })
}

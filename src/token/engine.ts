import OAuth2Server from '@node-oauth/oauth2-server'
import type { Context } from '../options/context.ts'
import type { TokenGrant, TokenRequest } from './grant.ts'
import type { Issued } from './issue.ts'

/**
 * Runs one token request of an authenticated app: the OAuth engine dispatches it to its grant, built-in or the host's.
 * Rejects with the error of the grant; no text of the engine reaches a client.
 */
export async function runGrant(grant: TokenGrant, asked: TokenRequest, context: Context): Promise<Issued> {
  const model = new Dispatch(grant, asked, context)
  try {
    await new OAuth2Server({ model }).token(REQUEST, UNREAD, OPTIONS)
  } catch (error) {
    // The grant that was begun goes on by itself, and nobody would hear of its error.
    model.running?.catch(() => {})
    throw error
  }
  if (!model.running) throw new Error(`the engine accepted a request without running its grant ${grant.name}`)
  // `await` costs one turn of the microtask queue here, and returning the promise three.
  return await model.running
}

/** A form request, as classes written for the engine read one. Its media type was checked before. */
export class FormRequest extends OAuth2Server.Request {
  constructor(body: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) {
    super({ method: 'POST', headers, query: {}, body })
  }

  override is(): string {
    return 'application/x-www-form-urlencoded'
  }
}

/** The engine's model of one request. */
class Dispatch implements OAuth2Server.ClientCredentialsModel {
  /**
   * The running grant. The engine does not wait for it: it would wrap the grant's error, and each promise between the two costs
   * every token request 0.1 µs.
   */
  running: Promise<Issued> | undefined
  readonly #grant: TokenGrant
  readonly #asked: TokenRequest
  readonly #context: Context

  constructor(grant: TokenGrant, asked: TokenRequest, context: Context) {
    this.#grant = grant
    this.#asked = asked
    this.#context = context
  }

  getClient(): Promise<OAuth2Server.Client> {
    return FOUND
  }

  start(): Promise<OAuth2Server.Token> {
    this.running = this.#grant.handle(this.#asked, this.#context)
    return STARTED
  }

  /** Required by the engine's types and never called, like the next: grants find users and store tokens themselves. */
  async saveToken(): Promise<undefined> {
    return undefined
  }

  async getUserFromClient(): Promise<undefined> {
    return undefined
  }

  async getAccessToken(): Promise<undefined> {
    return undefined
  }
}

/** Passes the request on to its grant. */
class DispatchedGrant extends OAuth2Server.AbstractGrantType {
  declare readonly model: Dispatch

  handle(): Promise<OAuth2Server.Token> {
    return this.model.start()
  }
}

/** Stands for the client, whom the engine need not authenticate again. */
const AUTHENTICATED = 'authenticated'
/** Stands for the name of the grant: a host's may have one that the engine would refuse. */
const DISPATCHED = 'dispatched'

/* What the engine is given: the same for every request, since the grant itself reads the request. */
const REQUEST = new FormRequest({ grant_type: DISPATCHED, client_id: AUTHENTICATED, client_secret: AUTHENTICATED })
const OPTIONS: OAuth2Server.TokenOptions = { extendedGrantTypes: { [DISPATCHED]: DispatchedGrant } }
const CLIENT: OAuth2Server.Client = Object.freeze({ id: AUTHENTICATED, grants: [DISPATCHED] })
const FOUND = Promise.resolve(CLIENT)
/** Stands for the tokens, which are those of the running grant. */
const STARTED: Promise<OAuth2Server.Token> = Promise.resolve({ accessToken: 'started', client: CLIENT, user: {} })

/** The answer of the engine, which is not used: the client is answered from what was issued. */
const UNREAD = new (class extends OAuth2Server.Response {
  override set(): void {}
})()

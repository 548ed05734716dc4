import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

/** One request, as it arrived. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The body read as a form, whatever it is. */
  readonly form: URLSearchParams
}

export interface Answer {
  /** Default 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON; a string or bytes as they are. */
  readonly body?: unknown
}

/** Undefined: the handler has the response in its own hands, and may do with it what no decent server would. */
export type AnswerHandler = (request: Received, response: ServerResponse) => Answer | undefined | Promise<Answer | undefined>

export type SigningAlg = 'ES256' | 'RS256'

/** A provider on this machine that answers what it is told to; 404 to all else. */
export class FakeProvider {
  readonly url: string
  /** Every request there was, the oldest first. */
  readonly requests: Received[] = []
  readonly #server: Server
  readonly #answers = new Map<string, Answer | AnswerHandler>()
  readonly #keys = new Map<SigningAlg, Promise<GenerateKeyPairResult>>()
  #kid = 'key-of-the-fake'

  private constructor(server: Server, url: string) {
    this.#server = server
    this.url = url
    server.on('request', (request, response) => {
      this.#receive(request, response).catch(() => response.destroy())
    })
    this.on('/jwks', async () => ({ body: await this.jwks() }))
    this.on('/.well-known/openid-configuration', () => ({ body: this.metadata() }))
  }

  static async start(): Promise<FakeProvider> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return new FakeProvider(server, `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`)
  }

  /** From now on, `path` answers this. */
  on(path: string, answer: Answer | AnswerHandler): void {
    this.#answers.set(path, answer)
  }

  /** The requests to `path`, the oldest first. */
  to(path: string): readonly Received[] {
    return this.requests.filter(request => request.path === path)
  }

  countOf(path: string): number {
    return this.to(path).length
  }

  /** What `/.well-known/openid-configuration` says; `changes` for a test that says it otherwise. */
  metadata(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      jwks_uri: `${this.url}/jwks`,
      userinfo_endpoint: `${this.url}/userinfo`,
      revocation_endpoint: `${this.url}/revoke`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256', 'RS256'],
      ...changes,
    }
  }

  /** An ID token of this provider, good for five minutes; `claims` win, and one that is undefined is left out. */
  async idToken(claims: JWTPayload, { alg = 'ES256' }: { readonly alg?: SigningAlg } = {}): Promise<string> {
    const { privateKey } = await this.#key(alg)
    const now = Math.floor(Date.now() / 1000)
    const payload = { iss: this.url, sub: 'user-1', iat: now, exp: now + 300, ...claims }
    return new SignJWT(payload).setProtectedHeader({ alg, kid: `${this.#kid}-${alg}` }).sign(privateKey)
  }

  /** From now on, other keys sign and are published: under another name, or the same. */
  replaceKeys(kid = this.#kid): void {
    this.#keys.clear()
    this.#kid = kid
  }

  /** Only the keys that have signed: making an RSA key takes a while. */
  async jwks(): Promise<{ readonly keys: readonly object[] }> {
    const keys = [...this.#keys].map(async ([alg, key]) => {
      const jwk = await exportJWK((await key).publicKey)
      return { ...jwk, kid: `${this.#kid}-${alg}`, alg, use: 'sig' }
    })
    return { keys: await Promise.all(keys) }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    const { headers, method = 'GET' } = request
    const received = { method, path: pathname, query: searchParams, headers, body, form: new URLSearchParams(body) }
    this.requests.push(received)

    const found = this.#answers.get(pathname) ?? { status: 404 }
    const answer = typeof found === 'function' ? await found(received, response) : found
    if (answer) send(response, answer)
  }

  #key(alg: SigningAlg): Promise<GenerateKeyPairResult> {
    const key = this.#keys.get(alg) ?? generateKeyPair(alg)
    this.#keys.set(alg, key)
    return key
  }
}

function send(response: ServerResponse, { status = 200, headers = {}, body }: Answer): void {
  const raw = typeof body === 'string' || body instanceof Uint8Array || body === undefined
  const type = raw ? {} : { 'content-type': 'application/json' }
  response.writeHead(status, { ...type, ...headers }).end(raw ? body : JSON.stringify(body))
}

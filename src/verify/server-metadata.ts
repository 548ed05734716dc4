import type { EpochMs } from '../base/time.ts'

/** The parts of a server's metadata (RFC 8414 §2) that a verifier uses. */
export interface Metadata {
  readonly introspectionEndpoint: string
  /** null: the server signs nothing (yet). */
  readonly keysUrl: string | null
}

interface Source {
  readonly issuer: string
  readonly json: (url: string) => Promise<Record<string, unknown>>
  /** Logs that the metadata could not be read, and makes the error of the tokens that waited. */
  readonly failed: (cause: unknown) => Error
  readonly now: () => EpochMs
}

/** How often the metadata are read again because an endpoint failed. */
const RETRY_MS = 10_000

/**
 * Cache of a server's metadata: read with the first token, and again when an endpoint fails, because it may have moved.
 * Concurrent readings are coalesced; while the metadata cannot be read, the cached ones are used.
 */
export class ServerMetadata {
  readonly #source: Source
  #cached: Metadata | undefined
  #begunAt = Number.NEGATIVE_INFINITY
  #reading: Promise<Metadata> | undefined

  constructor(source: Source) {
    this.#source = source
  }

  /** What was read last; undefined before the first reading. */
  get cached(): Metadata | undefined {
    return this.#cached
  }

  async get(): Promise<Metadata> {
    return this.#cached ?? this.read()
  }

  read(): Promise<Metadata> {
    this.#begunAt = this.#source.now()
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /**
   * Reads the metadata again after an endpoint of `used` failed. Resolves to `used` if there are no others: they were read less
   * than `RETRY_MS` ago, or cannot be read. After a timeout, which has taken long enough, it does not wait for the reading.
   */
  async after(cause: unknown, used: Metadata): Promise<Metadata> {
    if (this.#cached !== used) return this.#cached ?? used
    if (!this.#reading && Math.abs(this.#source.now() - this.#begunAt) < RETRY_MS) return used
    const reading = this.read().catch(() => used)
    return cause instanceof Error && cause.name === 'TimeoutError' ? used : reading
  }

  async #readNow(): Promise<Metadata> {
    const { failed, issuer, json } = this.#source
    const { origin, pathname } = new URL(issuer)
    try {
      // RFC 8414 §3.1
      const document = `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`
      const { introspection_endpoint, issuer: named, jwks_uri } = await json(document)
      // RFC 8414 §3.3
      if (named !== issuer) throw new Error('the metadata are of another issuer')
      this.#cached = {
        introspectionEndpoint: this.#trusted(introspection_endpoint),
        keysUrl: jwks_uri === undefined ? null : this.#trusted(jwks_uri),
      }
      return this.#cached
    } catch (cause) {
      throw failed(cause)
    }
  }

  /** Checks an endpoint of the metadata: the secret is sent there, or keys come from there, so it must be https like the issuer. */
  #trusted(endpoint: unknown): string {
    const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined
    if (url?.protocol !== 'https:' && url?.origin !== new URL(this.#source.issuer).origin)
      throw new Error('the metadata name an endpoint without https')
    return url.href
  }
}

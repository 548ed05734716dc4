import { randomBytes } from 'node:crypto'
import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { JsonObject } from '../base/json.ts'

/** One request, as a client sends it. */
export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | URLSearchParams
}

/** The answer to a request. */
export interface Answer {
  readonly url: string
  /** 0: there was no answer, and `failure` says why. */
  readonly status: number
  readonly failure: string
  readonly headers: Headers
  readonly text: string
  /** The body, if it is a JSON object. */
  readonly json: JsonObject | null
}

/** A cookie that a server sets. */
export interface SetCookie {
  readonly url: string
  readonly name: string
  /** The attributes in lower case, with their values. */
  readonly attributes: ReadonlyMap<string, string>
}

const MAX_BYTES = 1_048_576

/** Sends requests without following redirects, to any address: a doctor examines servers on this machine and in private networks too. */
export class Probe {
  /** Every cookie that was set. */
  readonly cookies: SetCookie[] = []
  readonly #at: URL | null
  readonly #timeoutMs: number

  constructor({ at, timeoutMs = 10_000 }: { readonly at?: string | undefined; readonly timeoutMs?: number | undefined }) {
    this.#at = at === undefined ? null : new URL(at)
    this.#timeoutMs = timeoutMs
  }

  /** Never rejects: a request without an answer has the status 0. */
  async send(url: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Answer> {
    const form: Record<string, string> =
      body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
    const sent = { accept: 'application/json', 'user-agent': 'authmount-doctor', ...form, ...headers }
    try {
      const { message, bytes } = await this.#exchange(new URL(url), { method, headers: sent, body: body?.toString() })
      const answered = headersOf(message)
      for (const cookie of answered.getSetCookie()) this.cookies.push(readCookie(url, cookie))
      const text = decoded(bytes, answered.get('content-encoding'))
      return { url, status: message.statusCode ?? 0, failure: '', headers: answered, text, json: objectOf(text) }
    } catch (error) {
      return { url, status: 0, failure: this.#reason(error), headers: new Headers(), text: '', json: null }
    }
  }

  #exchange(
    target: URL,
    {
      body,
      headers,
      method,
    }: { readonly method: string; readonly headers: Record<string, string>; readonly body: string | undefined },
  ): Promise<{ readonly message: IncomingMessage; readonly bytes: Buffer }> {
    const place = this.#at ?? target
    const forwarded: Record<string, string> = this.#at
      ? { host: target.host, 'x-forwarded-proto': target.protocol.slice(0, -1), 'x-forwarded-host': target.host }
      : {}
    const length: Record<string, string> = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const request = place.protocol === 'https:' ? tlsRequest : plainRequest
    return new Promise((resolve, reject) => {
      const outgoing = request({
        protocol: place.protocol,
        hostname: place.hostname.replace(/^\[|\]$/g, ''),
        port: place.port,
        path: target.pathname + target.search,
        method,
        headers: { ...headers, ...length, ...forwarded },
        agent: false,
        signal: AbortSignal.timeout(this.#timeoutMs),
      })
      outgoing.once('error', reject)
      outgoing.once('response', message => {
        message.once('error', reject)
        // A stream of events never ends.
        if (/^text\/event-stream/i.test(message.headers['content-type'] ?? '')) {
          resolve({ message, bytes: Buffer.alloc(0) })
          outgoing.destroy()
          return
        }
        const chunks: Buffer[] = []
        let size = 0
        message.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size <= MAX_BYTES) chunks.push(chunk)
          else outgoing.destroy(new Error(`the body is over ${MAX_BYTES} bytes`))
        })
        message.once('end', () => resolve({ message, bytes: Buffer.concat(chunks) }))
      })
      outgoing.end(body)
    })
  }

  #reason(error: unknown): string {
    if (!(error instanceof Error)) return 'it failed'
    if (['AbortError', 'TimeoutError'].includes(error.name)) return `no answer within ${this.#timeoutMs / 1000} s`
    const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
    if (code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE') {
      return `${code}: the server does not send the intermediate certificate, which browsers find by themselves and other clients do not`
    }
    return [code, error.message].filter(part => part !== '').join(': ')
  }
}

/** Makes a value that no earlier request has had, so that no cache has the answer. */
export function unique(): string {
  return randomBytes(9).toString('base64url')
}

/** Says what was answered: `404 text/html`, or why there was no answer. */
export function shown({ failure, headers, status, text }: Answer): string {
  if (status === 0) return failure
  const type = headers.get('content-type')?.split(';')[0] ?? ''
  const location = headers.get('location')
  if (status >= 300 && status < 400 && location !== null) return `${status} to ${location}`
  return type === '' || text === '' ? String(status) : `${status} ${type}`
}

/** Tells whether an answer is a redirect to a web address, which clients of these documents and endpoints do not follow. */
export function isRedirect(answer: Answer): boolean {
  return answer.status >= 300 && answer.status < 400 && /^https?:/.test(locationOf(answer))
}

/** Returns the absolute URL that a redirect leads to; empty if it leads nowhere. */
export function locationOf({ headers, url }: Answer): string {
  const location = headers.get('location')
  return location !== null && URL.canParse(location, url) ? new URL(location, url).href : ''
}

/** Reads a member that is a list of strings; anything else is an empty list. */
export function listOf(document: JsonObject, name: string): readonly string[] {
  const value = document[name]
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

/** Reads a member that is a string. */
export function textOf(document: JsonObject, name: string): string | undefined {
  const value = document[name]
  return typeof value === 'string' ? value : undefined
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let index = 0; index < rawHeaders.length; index += 2)
    headers.append(String(rawHeaders[index]), String(rawHeaders[index + 1]))
  return headers
}

/** A proxy may compress what it was not asked to compress. */
function decoded(bytes: Buffer, encoding: string | null): string {
  if (bytes.length === 0) return ''
  if (encoding === 'gzip') return gunzipSync(bytes, { maxOutputLength: MAX_BYTES }).toString()
  if (encoding === 'br') return brotliDecompressSync(bytes, { maxOutputLength: MAX_BYTES }).toString()
  if (encoding === 'deflate') return inflateSync(bytes, { maxOutputLength: MAX_BYTES }).toString()
  return bytes.toString()
}

function objectOf(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
  } catch {
    return null
  }
}

function readCookie(url: string, header: string): SetCookie {
  const [pair = '', ...attributes] = header.split(';').map(part => part.trim())
  return {
    url,
    name: pair.split('=')[0] ?? '',
    attributes: new Map(
      attributes.map(attribute => {
        const [name = '', value = ''] = attribute.split('=')
        return [name.toLowerCase(), value.toLowerCase()]
      }),
    ),
  }
}

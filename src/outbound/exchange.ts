import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction, Socket } from 'node:net'
import { pipeline, type Readable, Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { OutboundError } from './outbound-url.ts'

/** One request over one connection. */
export interface Exchange {
  readonly method: string
  readonly headers: Headers
  readonly body: string | Uint8Array | null
  readonly lookup: LookupFunction
  /** The most bytes of body, both compressed and decompressed. */
  readonly maxBytes: number
  /** Aborts the exchange and closes its connection. */
  readonly signal: AbortSignal
  /** An open connection, such as a proxy's tunnel; null: opens a new one for this exchange alone. */
  readonly socket: Socket | null
}

/** Sends one request over one connection, and resolves once the whole body has arrived and is decompressed. Rejects with OutboundError or Node's error. */
export async function exchangeHttp(target: URL, exchange: Exchange): Promise<Response> {
  const { host } = target
  const { maxBytes } = exchange
  const answer = await send(target, exchange)
  const status = answer.statusCode ?? 0
  if (status >= 300 && status < 400) throw new OutboundError('redirect', `${host} answered ${status}, not followed`)
  if (status < 200 || status > 599 || status === 407) throw new OutboundError('network', `${host} answered ${status}`)
  const bytes = await readBody(decoded(answer, host, maxBytes), host, maxBytes)
  return new Response(NULL_BODY.includes(status) ? null : bytes, { status, headers: headersOf(answer) })
}

/** RFC 9110 §15.3.5, §15.3.6. */
const NULL_BODY: readonly number[] = [204, 205]

function send(target: URL, { body, headers, lookup, method, signal, socket }: Exchange): Promise<IncomingMessage> {
  const request = target.protocol === 'https:' ? httpsRequest : httpRequest
  // Without keep-alive: the address of a pooled socket would not be vetted again.
  const connection = socket ? { createConnection: () => socket, defaultPort: 443 } : { agent: false as const, lookup }
  // Node sets no content-length for DELETE, so the server would read the body as the next request.
  const length = body === null ? {} : { 'content-length': Buffer.byteLength(body) }
  return new Promise((resolve, reject) => {
    const sent = request(target, {
      method,
      headers: { ...Object.fromEntries(headers), ...length, connection: 'close' },
      signal,
      ...connection,
    })
    sent.once('response', resolve).on('error', reject)
    sent.once('close', () => reject(new OutboundError('network', `${target.host} closed the connection`)))
    sent.end(body ?? undefined)
  })
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let index = 0; index < rawHeaders.length; index += 2)
    headers.append(String(rawHeaders[index]), String(rawHeaders[index + 1]))
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) headers.delete(name) // of the body as it travelled
  return headers
}

/** Accepts a truncated body as browsers do: the result is what has arrived. */
const GZIP = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }
const BROTLI = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH }

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(GZIP),
  'x-gzip': () => createGunzip(GZIP),
  deflate: () => createInflate(GZIP),
  br: () => createBrotliDecompress(BROTLI),
}

/** Decodes the body's content codings (RFC 9110 §8.4.1): the one applied last is undone first. */
function decoded(answer: IncomingMessage, host: string, maxBytes: number): Readable {
  const codings = (answer.headers['content-encoding'] ?? '').toLowerCase().split(/ *, */).toReversed()
  const known = codings.filter(coding => coding !== '' && coding !== 'identity')
  if (known.length === 0) return answer
  const decoders = known.slice(0, MAX_CODINGS + 1).map(coding => {
    if (known.length > MAX_CODINGS || !Object.hasOwn(DECODERS, coding))
      throw new OutboundError('network', `${host} answered in a content coding that is not known`)
    return (DECODERS[coding] as () => Transform)()
  })
  // An endless gzip stream may decompress to nothing, so the compressed bytes are limited as well.
  let received = 0
  const limit = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      received += chunk.length
      done(received > maxBytes ? tooLarge(host, maxBytes) : null, chunk)
    },
  })
  return pipeline([answer, limit, ...decoders], () => {}) as unknown as Readable
}

const MAX_CODINGS = 3

/** Reads a body into one buffer from the start, so that a million chunks of one byte cost no more memory than one chunk. */
async function readBody(body: AsyncIterable<Uint8Array>, host: string, maxBytes: number): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(maxBytes)
  let size = 0
  for await (const chunk of body) {
    if (size + chunk.length > maxBytes) throw tooLarge(host, maxBytes)
    bytes.set(chunk, size)
    size += chunk.length
  }
  return size > 0 ? bytes.slice(0, size) : null
}

function tooLarge(host: string, maxBytes: number): OutboundError {
  return new OutboundError('too_large', `the body of ${host} is over ${maxBytes} bytes`)
}

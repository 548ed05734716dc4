import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { Body } from './types.ts'

export const NO_BODY: Body = { kind: 'none' }

const TOO_LARGE: Body = { kind: 'unreadable', status: 413, reason: 'the body is too large' }
const WRONG_TYPE: Body = {
  kind: 'unreadable',
  status: 415,
  reason: 'the body must be application/x-www-form-urlencoded or application/json, in UTF-8',
}
const MALFORMED: Body = { kind: 'unreadable', status: 400, reason: 'the body is not well-formed' }

/**
 * Reads a request's body, at most `limit` bytes of it, from the message itself or from the stream that a hook of the
 * host's has put in its place. Resolves to an unreadable body for a wrong media type, malformed content or too many
 * bytes; never rejects.
 */
export function readBody(message: Pick<IncomingMessage, 'headers'>, stream: Readable, limit: number): Promise<Body> {
  const kind = mediaKind(message)
  if (kind === undefined) return discard(stream, hasBody(message) ? WRONG_TYPE : NO_BODY)
  if (Number(message.headers['content-length'] ?? 0) > limit) return discard(stream, TOO_LARGE)
  return readStream(stream, limit, text => parseBody(kind, text))
}

/**
 * Takes over a body that the host's own parser has read: text, bytes, or an object of form fields or JSON.
 * Repeated form fields stay repeated; a nested one, which only a bracket syntax can make, is unreadable.
 */
export function adoptBody(message: Pick<IncomingMessage, 'headers'>, parsed: unknown, limit: number): Body {
  const kind = mediaKind(message)
  if (kind === undefined) return hasBody(message) ? WRONG_TYPE : NO_BODY
  if (Number(message.headers['content-length'] ?? 0) > limit) return TOO_LARGE
  if (typeof parsed === 'string' || Buffer.isBuffer(parsed)) {
    return parsed.length > limit ? TOO_LARGE : parseBody(kind, parsed.toString())
  }
  if (kind === 'form') return formFromFields(parsed, limit)
  // A chunked body has no length to look at.
  return (JSON.stringify(parsed)?.length ?? 0) > limit ? TOO_LARGE : { kind: 'json', json: parsed }
}

/** The body an error of the host's own parser stands for (its `status`, as body-parser and its kin set it). */
export function unreadableFrom(status: number): Body {
  if (status === 413) return TOO_LARGE
  return status === 415 ? WRONG_TYPE : MALFORMED
}

function parseBody(kind: 'form' | 'json', text: string): Body {
  if (kind === 'form') return { kind: 'form', form: new URLSearchParams(text) }
  // Clients that always name a type send this where they have nothing to say.
  if (text === '') return NO_BODY
  try {
    return { kind: 'json', json: JSON.parse(text) }
  } catch {
    return MALFORMED
  }
}

function formFromFields(fields: unknown, limit: number): Body {
  if (typeof fields !== 'object' || fields === null) return MALFORMED
  const form = new URLSearchParams()
  let size = 0
  for (const [name, value] of Object.entries(fields)) {
    // A lone element can only come from `name[]=value`: a field that is truly repeated has two.
    const values: readonly unknown[] = Array.isArray(value) && value.length > 1 ? value : [value]
    for (const item of values) {
      if (typeof item !== 'string') return MALFORMED
      size += name.length + item.length
      if (size > limit) return TOO_LARGE
      form.append(name, item)
    }
  }
  return { kind: 'form', form }
}

/** No type we take is longer, and none may cost more to refuse than to read. */
const MAX_TYPE_LENGTH = 100
const KINDS: Readonly<Record<string, 'form' | 'json'>> = {
  'application/x-www-form-urlencoded': 'form',
  'application/json': 'json',
}

/** RFC 9110 §8.3.1, with no tolerance: a tab or a stray word after the type has been a way past other parsers. */
function mediaKind({ headers }: Pick<IncomingMessage, 'headers'>): 'form' | 'json' | undefined {
  const header = headers['content-type']
  if (
    header === undefined ||
    header.length > MAX_TYPE_LENGTH ||
    header.includes('\t') ||
    compressed(headers['content-encoding'])
  ) {
    return undefined
  }
  if (Object.hasOwn(KINDS, header)) return KINDS[header]
  const [type = '', ...parameters] = header
    .toLowerCase()
    .split(';')
    .map(part => part.trim())
  const readable = parameters.every(parameter => parameter === '' || UTF8.includes(parameter))
  return readable && Object.hasOwn(KINDS, type) ? KINDS[type] : undefined
}

const UTF8 = ['charset=utf-8', 'charset="utf-8"', 'charset=utf8', 'charset="utf8"']

/** Compressed bodies are refused: nothing we take is large, and inflating is how a small request becomes a big one. */
function compressed(encoding: string | undefined): boolean {
  return encoding !== undefined && encoding.toLowerCase() !== 'identity'
}

function hasBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function discard(stream: Readable, body: Body): Promise<Body> {
  stream.resume()
  return Promise.resolve(body)
}

function readStream(stream: Readable, limit: number, parse: (text: string) => Body): Promise<Body> {
  // Ended or gone before we were asked: it will never say so again.
  if (stream.readableEnded || stream.destroyed) return Promise.resolve(MALFORMED)
  return new Promise(resolve => {
    let chunks: Buffer[] = []
    let size = 0
    stream.on('data', (chunk: Buffer | string) => {
      size += chunk.length
      if (size <= limit) return chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
      chunks = []
      // The rest flows on into nothing: answering while the client still writes must not break the connection.
      resolve(TOO_LARGE)
    })
    stream.on('end', () => resolve(parse((chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)).toString())))
    stream.on('error', () => resolve(MALFORMED))
    stream.on('close', () => resolve(MALFORMED))
  })
}

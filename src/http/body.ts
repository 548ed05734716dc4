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
 * Reads a request's body, at most `limit` bytes of it, from the message or from a stream with which a hook of the host
 * replaced it. Resolves to an unreadable body for a wrong media type, malformed content or too many bytes; never rejects.
 */
export function readBody(message: Pick<IncomingMessage, 'headers'>, stream: Readable, limit: number): Promise<Body> {
  const kind = mediaKind(message)
  if (kind === undefined) return hasBody(message) ? readStream(stream, 0, () => WRONG_TYPE, WRONG_TYPE) : discard(stream, NO_BODY)
  if (Number(message.headers['content-length'] ?? 0) > limit) return readStream(stream, 0, () => TOO_LARGE, TOO_LARGE)
  return readStream(stream, limit, text => parseBody(kind, text), TOO_LARGE)
}

/**
 * Converts a body that the host's own parser has read: text, bytes, or an object of form fields or JSON.
 * Repeated form fields stay repeated; a nested field, which only a bracket syntax produces, makes the body unreadable.
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
  return jsonBody(parsed, limit)
}

/** How deep JSON may be nested: no field of ours is an object of objects. */
const MAX_DEPTH = 64

/**
 * Accepts parsed JSON of a limited depth, and of a limited size where its text was not measured. It is measured without
 * recursion, which deep nesting would exhaust.
 */
function jsonBody(json: unknown, limit = Number.POSITIVE_INFINITY): Body {
  let size = 0
  let level: readonly unknown[] = [json]
  for (let depth = 0; level.length > 0; depth++) {
    const below: unknown[] = []
    for (const value of level) {
      if (typeof value !== 'object' || value === null) {
        size += String(value).length
      } else if (depth === MAX_DEPTH) {
        return MALFORMED
      } else if (Array.isArray(value)) {
        size += 2 + value.length
        if (size <= limit) for (const item of value) below.push(item)
      } else {
        size += 2
        for (const [name, item] of Object.entries(value)) {
          size += name.length + 4
          below.push(item)
        }
      }
      if (size > limit) return TOO_LARGE
    }
    level = below
  }
  return { kind: 'json', json }
}

/** Returns the unreadable body for an error of the host's own parser, by the `status` that body-parser sets on it. */
export function unreadableFrom(status: number): Body {
  if (status === 413) return TOO_LARGE
  return status === 415 ? WRONG_TYPE : MALFORMED
}

function parseBody(kind: 'form' | 'json', text: string): Body {
  if (kind === 'form') return { kind: 'form', form: new URLSearchParams(text) }
  // Clients that always send a content-type send it with an empty body too.
  if (text === '') return NO_BODY
  try {
    return jsonBody(JSON.parse(text))
  } catch {
    return MALFORMED
  }
}

function formFromFields(fields: unknown, limit: number): Body {
  if (typeof fields !== 'object' || fields === null) return MALFORMED
  const form = new URLSearchParams()
  let size = 0
  for (const [name, value] of Object.entries(fields)) {
    // An array of one element comes from `name[]=value`: a repeated field has at least two.
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

/** Longer media types are refused unparsed: none that we accept is longer than 60 characters. */
const MAX_TYPE_LENGTH = 100
const KINDS: Readonly<Record<string, 'form' | 'json'>> = {
  'application/x-www-form-urlencoded': 'form',
  'application/json': 'json',
}

/** Parses the media type strictly (RFC 9110 §8.3.1): a tab or a stray word after the type has bypassed checks of other parsers. */
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

/** Tells whether a body is compressed. Such bodies are refused: a small one could inflate to a huge one. */
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

/** A body that is refused is read on up to this many bytes, for this long: a client that is still writing would miss the answer. */
const DRAIN_BYTES = 16_777_216
const DRAIN_MS = 5000

/** Reads up to `limit` bytes and parses them. Anything longer becomes `refusal`, once it has ended or was drained. */
function readStream(stream: Readable, limit: number, parse: (text: string) => Body, refusal: Body): Promise<Body> {
  // A stream that has ended or was destroyed emits no further event: waiting for one would never end.
  if (stream.readableEnded || stream.destroyed) return Promise.resolve(limit === 0 ? refusal : MALFORMED)
  return new Promise(resolve => {
    let chunks: Buffer[] = []
    let size = 0
    let draining: NodeJS.Timeout | undefined
    const done = (body: Body) => {
      clearTimeout(draining)
      resolve(body)
    }
    stream.on('data', (chunk: Buffer | string) => {
      size += chunk.length
      if (size <= limit) return chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
      chunks = []
      draining ??= setTimeout(done, DRAIN_MS, refusal)
      if (size > limit + DRAIN_BYTES) done(refusal)
    })
    stream.on('end', () => {
      if (size > limit) done(refusal)
      else done(parse((chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)).toString()))
    })
    stream.on('error', () => done(MALFORMED))
    stream.on('close', () => done(MALFORMED))
  })
}

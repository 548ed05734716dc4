import type { IncomingMessage } from 'node:http'
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
 * Reads a request's body from its stream, at most `limit` bytes of it.
 * Resolves to an unreadable body for a wrong media type, malformed content or too many bytes; never rejects.
 */
export async function readBody(message: IncomingMessage, limit: number): Promise<Body> {
  const kind = mediaKind(message)
  if (kind === undefined) return discard(message, hasBody(message) ? WRONG_TYPE : NO_BODY)
  if (Number(message.headers['content-length'] ?? 0) > limit) return discard(message, TOO_LARGE)
  const text = await readText(message, limit)
  return typeof text === 'string' ? parseBody(kind, text) : text
}

/**
 * Takes over a body that the host's own parser has read: text, bytes, or an object of form fields or JSON.
 * Repeated form fields stay repeated; a nested one, which only a bracket syntax can make, is unreadable.
 */
export function adoptBody(message: IncomingMessage, parsed: unknown, limit: number): Body {
  const kind = mediaKind(message)
  if (kind === undefined) return hasBody(message) ? WRONG_TYPE : NO_BODY
  if (Number(message.headers['content-length'] ?? 0) > limit) return TOO_LARGE
  if (typeof parsed === 'string' || Buffer.isBuffer(parsed)) {
    return parsed.length > limit ? TOO_LARGE : parseBody(kind, parsed.toString())
  }
  if (kind === 'json') return { kind: 'json', json: parsed }
  return formFromFields(parsed, limit)
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

/** RFC 9110 §8.3.1, with no tolerance: a tab or a stray word after the type has been a way past other parsers. */
const MEDIA_TYPE = /^application\/(x-www-form-urlencoded|json)(?: *; *charset="?([\w-]+)"?)? *;? *$/i

function mediaKind(message: IncomingMessage): 'form' | 'json' | undefined {
  const type = message.headers['content-type']
  if (type === 'application/x-www-form-urlencoded') return encoded(message) ? undefined : 'form'
  const match = MEDIA_TYPE.exec(type ?? '')
  if (!match || (match[2] && !/^utf-?8$/i.test(match[2])) || encoded(message)) return undefined
  return match[1]?.toLowerCase() === 'json' ? 'json' : 'form'
}

/** Compressed bodies are refused: nothing we take is large, and inflating is how a small request becomes a big one. */
function encoded(message: IncomingMessage): boolean {
  const encoding = message.headers['content-encoding']
  return encoding !== undefined && encoding.toLowerCase() !== 'identity'
}

function hasBody(message: IncomingMessage): boolean {
  return message.headers['transfer-encoding'] !== undefined || Number(message.headers['content-length'] ?? 0) > 0
}

function discard(message: IncomingMessage, body: Body): Body {
  message.resume()
  return body
}

function readText(message: IncomingMessage, limit: number): Promise<string | Body> {
  return new Promise(resolve => {
    let chunks: Buffer[] = []
    let size = 0
    message.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) return chunks.push(chunk)
      chunks = []
      // The rest flows on into nothing: answering while the client still writes must not break the connection.
      resolve(TOO_LARGE)
    })
    message.on('end', () => resolve((chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)).toString()))
    message.on('error', () => resolve(MALFORMED))
    message.on('close', () => resolve(MALFORMED))
  })
}

/** @import { App, Exchange, Note } from './types.ts' */
import { statusOf } from './wire.js'

/** @param {string} text @returns {Note} */
export function good(text) {
  return { kind: 'good', text }
}

/** @param {string} text @returns {Note} */
export function bad(text) {
  return { kind: 'bad', text }
}

/** @param {string} text @returns {Note} */
export function fact(text) {
  return { kind: 'fact', text }
}

/**
 * @param {boolean} holds
 * @param {string} yes
 * @param {string} no
 */
export function check(holds, yes, no) {
  return holds ? good(yes) : bad(no)
}

/**
 * What to do about an answer that is none of those hoped for.
 * @param {Exchange | undefined} exchange
 * @param {string} text
 * @returns {Note[]}
 */
export function refused(exchange, text) {
  const status = statusOf(exchange)
  if (status === 0) return [bad('There was no answer. Is the host still running?')]
  if (status === 429) return [bad(text), fact('Too many changes at once: the headers of the answer say when to come back.')]
  return [bad(text)]
}

/**
 * How an app says who it is: by its secret, as HTTP Basic, or, where it has none, by its name alone (RFC 6749 §2.3.1, §3.2.1).
 * @param {App} app
 * @returns {{ headers: Record<string, string>, fields: Record<string, string> }}
 */
export function asApp({ clientId, clientSecret }) {
  if (clientSecret === null) return { headers: {}, fields: { client_id: clientId } }
  return { headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` }, fields: {} }
}

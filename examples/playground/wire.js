/** @import { Answer, Sent } from './types.ts' */

/**
 * Sends a request, as it is shown, and returns the answer, as it came. Does not reject: no answer is an answer too.
 * The host's session goes along only where `session` says so: an app does not have it.
 * @param {Sent} sent
 * @returns {Promise<Answer>}
 */
export async function send({ body, headers, method, session, url }) {
  const started = performance.now()
  try {
    const credentials = session === 'none' ? 'omit' : 'same-origin'
    // no-store: what is shown is to be an answer of the server, never one of the browser's cache.
    const response = await fetch(url, { method, headers, body, credentials, cache: 'no-store' })
    const text = await response.text()
    return {
      kind: 'response',
      status: response.status,
      statusText: response.statusText,
      headers: [...response.headers],
      body: text,
      milliseconds: Math.round(performance.now() - started),
      followedTo: response.redirected ? response.url : null,
    }
  } catch (error) {
    return { kind: 'failure', message: String(error) }
  }
}

/**
 * @param {string} url
 * @param {Record<string, string>} [headers]
 * @param {Sent['session']} [session]
 * @returns {Sent}
 */
export function get(url, headers = {}, session = 'none') {
  return { method: 'GET', url, headers, body: null, session }
}

/**
 * A form, as OAuth's endpoints want it (RFC 6749 Appendix B).
 * @param {string} url
 * @param {Record<string, string>} fields
 * @param {Record<string, string>} [headers]
 * @param {Sent['session']} [session]
 * @returns {Sent}
 */
export function postForm(url, fields, headers = {}, session = 'none') {
  const all = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST', url, headers: all, body: new URLSearchParams(fields).toString(), session }
}

/**
 * @param {string} url
 * @param {object} value
 * @param {Record<string, string>} [headers]
 * @param {Sent['session']} [session]
 * @returns {Sent}
 */
export function postJson(url, value, headers = {}, session = 'none') {
  const all = { ...headers, 'content-type': 'application/json' }
  return { method: 'POST', url, headers: all, body: JSON.stringify(value, null, 2), session }
}

/**
 * The status of an answer; 0 where there was none.
 * @param {{ readonly answer: Answer | null } | undefined} exchange
 */
export function statusOf(exchange) {
  return exchange?.answer?.kind === 'response' ? exchange.answer.status : 0
}

/**
 * The object an answer holds; empty for anything else.
 * @param {{ readonly answer: Answer | null } | undefined} exchange
 * @returns {Record<string, unknown>}
 */
export function jsonOf(exchange) {
  if (exchange?.answer?.kind !== 'response') return {}
  try {
    const value = JSON.parse(exchange.answer.body)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** @import { Prepared } from './types.ts' */

/**
 * What an app makes up for one authorization request: a verifier that only it knows (RFC 7636 §4.1), the challenge that shows
 * it without giving it away (§4.2), and a state by which it knows the answer for its own (RFC 6749 §10.12).
 * @returns {Promise<Prepared>}
 */
export async function prepare() {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)))
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  return { verifier, challenge: base64url(new Uint8Array(digest)), state: randomState(), used: false }
}

export function randomState() {
  return base64url(crypto.getRandomValues(new Uint8Array(16)))
}

/**
 * What an ID token says. Nothing is verified here: that is for the app's library.
 * @param {string} token
 * @returns {unknown}
 */
export function readIdToken(token) {
  const [, payload = ''] = token.split('.')
  const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), character => character.charCodeAt(0))
  return JSON.parse(new TextDecoder().decode(bytes))
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}

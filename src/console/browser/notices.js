import { Refusal } from './api.js'
import { h } from './dom.js'

const notice = /** @type {HTMLElement} */ (document.getElementById('notice'))
const problem = /** @type {HTMLElement} */ (document.getElementById('problem'))

/**
 * Says above the page what has been done, to eyes and to screen readers.
 *
 * @param {string} text
 */
export function tell(text) {
  clearNotices()
  notice.textContent = text
}

/**
 * Says above the page what did not work.
 *
 * @param {unknown} error
 */
export function complain(error) {
  clearNotices()
  problem.append(...explain(error))
}

export function clearNotices() {
  notice.replaceChildren()
  problem.replaceChildren()
}

/**
 * An error in words; to whoever is not signed in, with the way to the login. It opens beside a page whose work would be lost.
 *
 * @param {unknown} error
 * @returns {readonly (Node | string)[]}
 */
export function explain(error) {
  if (!(error instanceof Refusal)) throw error
  if (error.status !== 401) return [error.message]
  return [
    error.message,
    ' ',
    h('a', { href: loginUrl(), target: '_blank' }, 'Sign in (opens beside this page)'),
    ', then try again.',
  ]
}

/** The host's login, to come back to this very page. */
export function loginUrl() {
  const url = new URL(document.body.dataset.login ?? '', location.href)
  url.searchParams.set('returnTo', location.pathname + location.search + location.hash)
  return url.href
}

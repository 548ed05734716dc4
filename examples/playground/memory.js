/** @import { ActionName, Host, State } from './types.ts' */

/** Where this tab keeps what has happened; no other tab sees it, and closing the tab forgets it. */
const KEY = 'authmount playground'

/**
 * What has happened so far. Nothing, for another run of the host: what it kept in memory is gone.
 * @param {Host} host
 * @returns {State}
 */
export function recall({ run, user }) {
  const saved = sessionStorage.getItem(KEY)
  /** @type {State | null} */
  const state = saved === null ? null : JSON.parse(saved)
  return state?.run === run ? { ...state, user } : { ...nothing(), run, user }
}

/** @param {State} state */
export function remember(state) {
  sessionStorage.setItem(KEY, JSON.stringify(state))
}

export function forget() {
  sessionStorage.removeItem(KEY)
}

/**
 * What an action did before changes what comes after it: that is forgotten, and has to be done again.
 * @param {State} state
 * @param {ActionName} name
 * @param {ActionName} [last] the last one to forget; default: all
 */
export function forgetAfter(state, name, last = ORDER[ORDER.length - 1] ?? name) {
  for (const later of ORDER.slice(ORDER.indexOf(name) + 1, ORDER.indexOf(last) + 1)) delete state.shown[later]
}

/** @type {readonly ActionName[]} */
export const ORDER = [
  'signIn',
  'createApp',
  'prepare',
  'authorize',
  'redeem',
  'records',
  'addRecord',
  'introspect',
  'revoke',
  'recordsRevoked',
  'refresh',
  'retry',
  'reuse',
  'left',
  'signOut',
]

/** @returns {State} */
function nothing() {
  return {
    run: '',
    user: null,
    app: null,
    prepared: null,
    returned: null,
    tokens: null,
    spent: null,
    logoutState: null,
    shown: {},
  }
}

import { Refusal } from './api.js'
import { button, h } from './dom.js'
import { clearNotices, loginUrl } from './notices.js'

/** @typedef {{ readonly title: string, readonly content: readonly Node[] }} View */
/** @typedef {readonly [pattern: RegExp, view: (parameter: string) => Promise<View>]} Route */

const frame = /** @type {HTMLElement} */ (document.getElementById('view'))
const site = document.querySelector('.brand')?.textContent ?? ''

/** @type {readonly Route[]} */
let routes = []
/** Which rendering is the latest: one that was overtaken shows nothing. */
let latest = 0

/**
 * Shows what the address's fragment names, now and whenever it changes, so that reload, Back and bookmarks work.
 *
 * @param {readonly Route[]} table
 */
export function startRouter(table) {
  routes = table
  addEventListener('hashchange', () => {
    clearNotices()
    render()
  })
  render(true)
}

/**
 * Goes to another view, in place of the one that led there.
 *
 * @param {string} hash
 */
export function go(hash) {
  history.replaceState(null, '', hash)
  return render()
}

/** Shows the same view again, as things are now. */
export function refresh() {
  return render()
}

async function render(first = false) {
  latest += 1
  const turn = latest
  frame.ariaBusy = 'true'
  const { content, title } = await viewOf(location.hash)
  if (turn !== latest) return
  const focused = document.activeElement?.id
  frame.replaceChildren(...content)
  frame.ariaBusy = null
  document.title = `${title} · ${site}`
  if (!first) moveFocus(focused)
}

/** @param {string} hash @returns {Promise<View>} */
async function viewOf(hash) {
  try {
    for (const [pattern, view] of routes) {
      const match = pattern.exec(hash)
      if (match) return await view(match[1] ?? '')
    }
    throw new Refusal(404, 'There is nothing at this address.')
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return refusalView(error)
  }
}

/** @param {Refusal} refusal @returns {View} */
function refusalView({ message, status }) {
  if (status === 401) {
    const link = h('a', { href: loginUrl(), class: 'button main' }, 'Sign in')
    const why = h('p', {}, 'The OAuth apps of your organisation are shown to its members only.')
    return { title: 'Sign in first', content: [heading('Sign in first'), why, h('p', { class: 'actions' }, link)] }
  }
  const title = status === 404 ? 'Not found' : 'That did not work'
  const again = button('Try again', {}, () => refresh())
  const actions = h('p', { class: 'actions' }, h('a', { href: '#/apps', class: 'button' }, 'All apps'), again)
  return { title, content: [heading(title), h('p', {}, message), actions] }
}

/**
 * The heading of a view, to which the focus goes when one is opened.
 *
 * @param {string} text
 */
export function heading(text) {
  return h('h1', { tabindex: '-1' }, h('bdi', {}, text))
}

/**
 * To what had it before, where that is still there: or else to the heading, which says where one is.
 *
 * @param {string | undefined} id
 */
function moveFocus(id) {
  const kept = id ? document.getElementById(id) : null
  const target = kept ?? frame.querySelector('h1')
  target?.focus()
  if (!kept) scrollTo(0, 0)
}

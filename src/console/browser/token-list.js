import { api, Refusal } from './api.js'
import { button, h, time } from './dom.js'
import { complain, tell } from './notices.js'

/**
 * The app's live tokens, newest first, a page at a time.
 *
 * @param {string} appId
 */
export async function tokenList(appId) {
  const list = h('ul', { class: 'plain' })
  const area = h('div', {})
  /** @type {string | null} */
  let next = null

  const more = button('Show more tokens', { id: 'more-tokens' }, async () => {
    const shown = list.childElementCount
    try {
      await load(next ?? '')
      tell(`${list.childElementCount - shown} more tokens.`)
      const added = list.children[shown]
      if (added instanceof HTMLElement) added.focus()
    } catch (error) {
      complain(error)
    }
  })
  /** @param {string} [query] */
  const load = async query => {
    const page = await api.tokens(appId, query)
    list.append(...page.tokens.map(row))
    next = page.next
    more.hidden = next === null
  }

  try {
    await load()
    area.append(list.childElementCount > 0 ? list : h('p', {}, 'It has no live tokens.'), more)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    area.append(h('p', { class: 'error' }, error.message))
  }
  return area
}

/** @param {import('./api.js').Token} token */
function row({ createdAt, expiresAt, scopes, tokenType, userId }) {
  const kind = tokenType === 'access' ? 'Access token' : 'Refresh token'
  const whose = userId === undefined ? [' of the app itself'] : [' for user ', h('bdi', {}, userId)]
  const times = h('p', { class: 'soft' }, 'issued ', time(createdAt), ', expires ', time(expiresAt))
  return h(
    'li',
    { tabindex: '-1' },
    h('p', {}, h('strong', {}, kind), ...whose),
    h('p', { class: 'soft' }, scopes.join(' ')),
    times,
  )
}

import { api, mayChange } from './api.js'
import { h, time } from './dom.js'
import { tell } from './notices.js'
import { heading, refresh } from './router.js'

/** @typedef {import('./api.js').App} App */

/** How each status is called here, and how good it is. @type {Readonly<Record<App['status'], readonly [string, string]>>} */
const STATUS = { active: ['Active', 'good'], suspended: ['Suspended', 'warn'], revoked: ['Deleted', 'soft'] }

/**
 * The organisation's apps, a page at a time.
 *
 * @param {string} parameters Those of the API's list, as they stand in the address: so a search can be bookmarked.
 * @returns {Promise<import('./router.js').View>}
 */
export async function appList(parameters) {
  const query = new URLSearchParams(parameters)
  const { data, pagination } = await api.list(query)
  const admin = await mayChange(data.find(({ status }) => status !== 'revoked')?.id)
  const found = pagination.total === 1 ? '1 app' : `${pagination.total} apps`
  const title = 'OAuth apps'
  const lead = admin
    ? 'What may use the data of your organisation, and on whose behalf.'
    : 'You can look at the apps of your organisation. Only its admins can change them.'
  const head = h('div', { class: 'head' }, heading(title))
  if (admin) head.append(h('a', { href: '#/new', class: 'button main' }, 'Create an app'))
  if (admin && document.body.dataset.agents === 'true')
    head.append(h('a', { id: 'agents', href: '#/agents', class: 'button' }, 'Agents'))
  head.append(h('p', { class: 'soft' }, lead))
  if (parameters !== '') tell(`${found} found.`)
  const none = h('p', {}, parameters === '' ? 'There are no apps yet.' : 'No apps match.')
  const list = data.length > 0 ? h('ul', { class: 'plain' }, ...data.map(row)) : none
  return { title, content: [head, filters(query), h('p', { class: 'soft' }, found), list, pages(query, pagination)] }
}

/** @param {App['status']} status */
export function statusBadge(status) {
  const [label, kind] = STATUS[status]
  return h('span', { class: `badge ${kind}` }, label)
}

/** @param {App} app */
function row({ clientId, createdAt, description, id, isConfidential, name, status }) {
  const title = status === 'revoked' ? h('bdi', {}, name) : h('a', { href: `#/apps/${id}` }, h('bdi', {}, name))
  const facts = h('p', { class: 'soft' }, h('code', {}, clientId), isConfidential ? ' · Confidential' : ' · Public')
  facts.append(' · created ', time(createdAt))
  const about = description ? [h('p', {}, h('bdi', {}, description))] : []
  return h('li', {}, h('div', { class: 'head' }, h('h2', {}, title), statusBadge(status)), ...about, facts)
}

/** @param {URLSearchParams} query */
function filters(query) {
  const search = h('input', { type: 'search', id: 'search', name: 'search', maxlength: '200', value: query.get('search') ?? '' })
  const status = h('select', { id: 'status', name: 'status' }, h('option', { value: '' }, 'All but deleted'))
  for (const [value, [label]] of Object.entries(STATUS))
    status.append(h('option', { value, selected: query.get('status') === value }, label))

  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault()
    const chosen = Object.entries({ search: search.value.trim(), status: status.value }).filter(([, value]) => value !== '')
    const next = addressOf(new URLSearchParams(chosen))
    if (location.hash === next) refresh()
    else location.hash = next
  }
  return h(
    'form',
    { class: 'row', role: 'search', onsubmit },
    h('div', { class: 'field grow' }, h('label', { for: 'search' }, 'Name'), search),
    h('div', { class: 'field grow' }, h('label', { for: 'status' }, 'Status'), status),
    h('button', { id: 'filter' }, 'Search'),
  )
}

/** @param {URLSearchParams} query @param {{ readonly page: number, readonly totalPages: number }} pagination */
function pages(query, { page, totalPages }) {
  const to = (/** @type {number} */ number, /** @type {string} */ label, /** @type {string} */ id) =>
    number < 1 || number > totalPages ? '' : h('a', { id, class: 'button', href: addressOf(query, number) }, label)
  if (totalPages < 2 && page === 1) return h('span')
  const here = h('span', {}, `Page ${page} of ${totalPages}`)
  const back = page > totalPages ? to(totalPages, 'Last page', 'back') : to(page - 1, 'Newer', 'newer')
  return h('nav', { class: 'head', 'aria-label': 'Pages' }, back, here, to(page + 1, 'Older', 'older'))
}

/** @param {URLSearchParams} query @param {number} [page] */
function addressOf(query, page = 1) {
  const next = new URLSearchParams(query)
  if (page > 1) next.set('page', String(page))
  else next.delete('page')
  return next.size > 0 ? `#/apps?${next}` : '#/apps'
}

import { api } from './api.js'
import { ask } from './ask.js'
import { button, h, time } from './dom.js'
import { complain, tell } from './notices.js'
import { heading, refresh } from './router.js'

/** @typedef {import('./api.js').Agent} Agent */

/** @type {Readonly<Record<Agent['state'], readonly [string, string]>>} */
const STATE = {
  pending: ['Waits for an admin', 'warn'],
  allowed: ['Allowed', 'good'],
  used: ['In use', 'good'],
  refused: ['Refused', 'soft'],
}

/**
 * The agents and other clients that came by themselves: those that wait for an admin, then those that users have let in.
 *
 * @param {string} after `next` of the page before; empty for the first.
 * @returns {Promise<import('./router.js').View>}
 */
export async function agentList(after) {
  const { data, next, pending } = await api.agents(decodeURIComponent(after))
  const lead =
    'Apps that nobody registered here: agents and editors that know nothing of this server but its address. ' +
    'Only the host name of one is proven; what it calls itself is not.'
  const head = h('div', { class: 'head' }, heading('Agents'), h('p', { class: 'soft' }, lead))
  /** @type {HTMLElement[]} */
  const content = [head]
  if (pending.length > 0) content.push(section('Waiting for you', pending))
  const known = after === '' ? 'Known here' : 'Known here, continued'
  content.push(data.length > 0 ? section(known, data) : h('section', {}, h('p', {}, 'No agent is used in your organisation.')))
  const back = h('a', { href: '#/apps', class: 'button' }, 'All apps')
  const more = next === null ? '' : h('a', { href: `#/agents/${encodeURIComponent(next)}`, class: 'button' }, 'More agents')
  content.push(h('nav', { class: 'head', 'aria-label': 'Pages' }, back, more))
  return { title: 'Agents', content }
}

/** @param {string} title @param {readonly Agent[]} agents */
function section(title, agents) {
  return h('section', {}, h('h2', {}, title), h('ul', { class: 'plain' }, ...agents.map(row)))
}

/** @param {Agent} agent */
function nameOf({ host, name }) {
  return host ?? (name === '' ? 'An app without a name' : `“${name}”`)
}

/** @param {Agent} agent */
function row(agent) {
  const [label, kind] = STATE[agent.state]
  const title = h('h3', {}, h('bdi', {}, nameOf(agent)))
  const badges = h('span', { class: `badge ${kind}` }, label)
  const facts = h('p', { class: 'soft' }, 'first seen ', time(agent.firstSeen))
  if (agent.lastUsed !== null) facts.append(' · last used ', time(agent.lastUsed))
  if (agent.askedBy !== null) facts.append(' · asked for by ', h('bdi', {}, agent.askedBy))
  if (agent.isBlocked) facts.append(' · blocked for everyone')
  const item = h('li', {}, h('div', { class: 'head' }, title, badges))
  if (agent.host !== null && agent.name !== '') item.append(h('p', {}, 'It calls itself “', h('bdi', {}, agent.name), '”.'))
  item.append(
    h('p', { class: 'soft' }, 'Sends people to ', h('bdi', { dir: 'ltr' }, agent.redirectHosts.join(', '))),
    h('p', { class: 'soft' }, 'Scopes: ', h('code', {}, agent.scopes.join(' '))),
    facts,
    h('div', { class: 'actions' }, ...buttons(agent)),
  )
  return item
}

/** @param {Agent} agent */
function buttons(agent) {
  const { id, state } = agent
  const name = nameOf(agent)
  const allow = button('Allow', { id: `allow-${id}`, 'aria-label': `Allow ${name}` }, async () => {
    try {
      await api.decideAgent(id, 'allow')
      await refresh()
      tell(`Users of your organisation can connect ${name} now.`)
    } catch (error) {
      complain(error)
    }
  })
  const end = button('End access…', { id: `end-${id}`, 'aria-label': `End the access of ${name}…` }, () =>
    question(
      agent,
      'end',
      `End the access of ${name}?`,
      'Everything it holds in your organisation ends. Users may connect it again.',
    ),
  )
  const refuse = button('Refuse…', { id: `refuse-${id}`, 'aria-label': `Refuse ${name}…` }, () =>
    question(
      agent,
      'refuse',
      `Refuse ${name}?`,
      'Everything it holds in your organisation ends, and nobody there can connect it.',
    ),
  )
  if (state === 'refused') return [allow]
  return state === 'pending' ? [allow, refuse] : state === 'allowed' ? [end, refuse] : [allow, end, refuse]
}

/** @param {Agent} agent @param {'end' | 'refuse'} decision @param {string} title @param {string} text */
function question({ id }, decision, title, text) {
  ask({
    title,
    text: [text],
    verb: decision === 'end' ? 'End access' : 'Refuse',
    act: () => api.decideAgent(id, decision),
    done: async ({ revoked }) => {
      await refresh()
      tell(revoked === 1 ? 'Done. One connection has ended.' : `Done. ${revoked} connections have ended.`)
    },
  })
}

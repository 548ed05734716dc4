import { api, mayChange } from './api.js'
import { statusBadge } from './app-list.js'
import { ask } from './ask.js'
import { button, copyButton, h, time, webLink } from './dom.js'
import { complain, tell } from './notices.js'
import { go, heading, refresh } from './router.js'
import { isSecretShown, showSecret } from './show-secret.js'
import { tokenList } from './token-list.js'

/** @typedef {import('./api.js').App} App */

/**
 * One app: what it is, what can be done with it, and the tokens it has.
 *
 * @param {string} id
 * @returns {Promise<import('./router.js').View>}
 */
export async function appDetails(id) {
  const app = await api.get(id)
  const admin = await mayChange(id)
  const head = h('div', { class: 'head' }, heading(app.name), statusBadge(app.status))
  const about = app.description ? [h('p', {}, h('bdi', {}, app.description))] : []
  const rest = admin
    ? [actions(app), h('section', {}, h('h2', {}, 'Live tokens'), await tokenList(id))]
    : [h('p', { class: 'soft' }, 'Only an admin of your organisation can change it or see its tokens.')]
  return { title: app.name, content: [allApps(), head, ...about, facts(app), ...rest] }
}

export function allApps() {
  return h('p', {}, h('a', { href: '#/apps' }, 'All apps'))
}

/** @param {App} app */
function facts(app) {
  const clientId = h('code', { id: 'client-id', translate: 'no' }, app.clientId)
  const list = h('dl', { class: 'facts' })
  /** @param {string} name @param {readonly (Node | string)[]} values Each on a line of its own. */
  const fact = (name, values) => {
    if (values.length > 0) list.append(h('dt', {}, name), h('dd', {}, ...values.map(value => h('div', {}, value))))
  }
  const links = (/** @type {string | undefined} */ url) => (url ? [webLink(url)] : [])
  fact('Client ID', [h('span', { class: 'row' }, clientId, copyButton('Copy the client ID', clientId, tell))])
  fact('Kind', [kindOf(app)])
  fact('Public keys', [...links(app.jwksUri), ...(app.jwks?.keys ?? []).map(nameOfKey)])
  fact('ID tokens are signed with', app.idTokenSignedResponseAlg ? [app.idTokenSignedResponseAlg] : [])
  fact('Redirect URIs', app.redirectUris)
  fact('Allowed origins', app.allowedOrigins ?? [])
  fact('Scopes', app.allowedScopes)
  fact('Grants', app.allowedGrantTypes)
  fact('Bound tokens', app.dpopBoundAccessTokens ? ['Only tokens that are bound to a key'] : [])
  fact('Authorization requests', app.requirePushedAuthorizationRequests ? ['Only pushed ones'] : [])
  fact('Access tokens live', [inWords(app.accessTokenLifetime)])
  fact('Refresh tokens live', [inWords(app.refreshTokenLifetime)])
  fact('Home page', links(app.homepageUrl))
  fact('Privacy policy', links(app.privacyPolicyUrl))
  fact('Terms of service', links(app.termsOfServiceUrl))
  fact('Created', [time(app.createdAt)])
  fact('Changed', [time(app.updatedAt)])
  return list
}

/** @param {App} app */
function kindOf({ isConfidential, tokenEndpointAuthMethod: method }) {
  if (!isConfidential) return 'Public: it has no secret, and uses PKCE'
  if (method === 'private_key_jwt') return 'Confidential: it signs with a key of its own'
  return hasSecret(method) ? 'Confidential: it has a secret' : `Confidential: ${method}`
}

const hasSecret = (/** @type {string} */ method) => method.startsWith('client_secret')

const nameOfKey = (/** @type {Readonly<Record<string, unknown>>} */ { crv, kid, kty }) =>
  `${kid ?? 'without a kid'} (${crv ?? kty})`

/** @param {App} app */
function actions(app) {
  const { id, status, tokenEndpointAuthMethod } = app
  const active = status === 'active'
  const turn = button(active ? 'Suspend' : 'Activate', { id: 'switch' }, () => switchApp(app))
  return h(
    'div',
    { class: 'actions' },
    h('a', { href: `#/apps/${id}/edit`, class: 'button' }, 'Edit'),
    ...(hasSecret(tokenEndpointAuthMethod) ? [button('Rotate the secret', { id: 'rotate' }, () => askToRotate(app))] : []),
    turn,
    button('Revoke all tokens', { id: 'revoke', class: 'danger' }, () => askToRevoke(app)),
    button('Delete', { id: 'delete', class: 'danger' }, () => askToDelete(app)),
  )
}

/** @param {App} app */
async function switchApp({ id, name, status }) {
  try {
    await api.switch(id, status === 'active' ? 'suspend' : 'activate')
    await refresh()
    tell(status === 'active' ? `${name} is suspended: it gets no new tokens. Those it has live on.` : `${name} is active again.`)
  } catch (error) {
    complain(error)
  }
}

/** In seconds. @type {readonly (readonly [string, string])[]} */
const OVERLAPS = [
  ['0', 'Not at all: it stops at once'],
  ['3600', 'One hour'],
  ['86400', '24 hours'],
  ['604800', '7 days'],
]

/** @param {App} app */
function askToRotate({ id, name }) {
  const choice = h('select', { id: 'overlap' })
  for (const [value, label] of OVERLAPS) choice.append(h('option', { value, selected: value === '86400' }, label))
  ask({
    title: 'Rotate the secret',
    text: [h('bdi', {}, name), ' gets a new secret. The old one can go on working until the app has been given the new one.'],
    control: h('div', { class: 'field' }, h('label', { for: 'overlap' }, 'How long the old secret still works'), choice),
    verb: 'Rotate',
    act: () => api.rotate(id, Number(choice.value)),
    async done({ clientSecret }) {
      showSecret(name, clientSecret ?? '')
      await refresh()
      tell(isSecretShown() ? 'There is a new secret. Copy it now.' : 'There is a new secret.')
    },
  })
}

/** @param {App} app */
function askToRevoke({ id, name }) {
  ask({
    title: 'Revoke all tokens',
    text: [
      'Every token of ',
      h('bdi', {}, name),
      ' stops working at once, and its users have to connect it again. This cannot be undone.',
    ],
    verb: 'Revoke all',
    act: () => api.revokeAll(id),
    async done({ count }) {
      await refresh()
      tell(count === 1 ? 'One token was revoked.' : `${count} tokens were revoked.`)
    },
  })
}

/** @param {App} app */
function askToDelete({ id, name }) {
  const typed = h('input', { id: 'typed-name', autocomplete: 'off' })
  ask({
    title: 'Delete the app',
    text: [h('bdi', {}, name), ' and everything it was ever given stop working at once. This cannot be undone.'],
    control: h('div', { class: 'field' }, h('label', { for: 'typed-name' }, 'Type its name to confirm'), typed),
    ready: () => (typed.value.trim() === name.trim() ? undefined : 'That is not the name of the app.'),
    verb: 'Delete for good',
    act: () => api.remove(id),
    async done() {
      await go('#/apps')
      tell(`${name} is deleted.`)
    },
  })
}

/** @param {number} seconds */
function inWords(seconds) {
  for (const [size, unit] of UNITS) if (seconds % size === 0) return seconds === size ? `1 ${unit}` : `${seconds / size} ${unit}s`
  return `${seconds} seconds`
}

/** @type {readonly (readonly [number, string])[]} */
const UNITS = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
]

import { api, mayChange, Refusal } from './api.js'
import { allApps } from './app-details.js'
import { h, once } from './dom.js'
import { choice, clearProblems, field, group, showProblems } from './form-fields.js'
import { tell } from './notices.js'
import { go, heading } from './router.js'
import { isSecretShown, showSecret } from './show-secret.js'

/** @typedef {import('./api.js').App} App */
/** @typedef {import('./api.js').Scope} Scope */
/** @typedef {import('./form-fields.js').Choice} Choice */

/** The grants of this server. @type {readonly { readonly name: string, readonly title: string, readonly summary: string, readonly byDefault: boolean }[]} */
const GRANTS = JSON.parse(document.body.dataset.grants ?? '[]')

/** What a new app starts as: the API's own defaults. @type {Partial<App>} */
const NEW = {
  allowedGrantTypes: GRANTS.filter(({ byDefault }) => byDefault).map(({ name }) => name),
  accessTokenLifetime: 3600,
  refreshTokenLifetime: 604_800,
}

/** @returns {Promise<import('./router.js').View>} */
export async function newAppForm() {
  const [scopes, admin] = await Promise.all([api.scopes(), mayChange()])
  if (!admin) throw new Refusal(403, 'Only an admin of your organisation can create apps.')
  const kind = methodChoices(
    METHODS,
    'client_secret_basic',
    'A confidential app stays one, and can change between a secret and keys.',
  )
  /** @param {Record<string, unknown>} fields */
  const save = async fields => {
    const given = Object.entries(fields).filter(([, value]) => value !== null)
    const isConfidential = fields.tokenEndpointAuthMethod !== 'none'
    const app = await api.create({ ...Object.fromEntries(given), isConfidential })
    if (app.clientSecret !== undefined) showSecret(app.name, app.clientSecret)
    await go(`#/apps/${app.id}`)
    tell(
      app.clientSecret !== undefined && isSecretShown()
        ? `${app.name} is created. Copy its secret now.`
        : `${app.name} is created.`,
    )
  }
  const form = appForm(NEW, scopes, { extra: [kind], verb: 'Create the app', back: '#/apps', save })
  return { title: 'Create an app', content: [allApps(), heading('Create an app'), form] }
}

/**
 * @param {string} id
 * @returns {Promise<import('./router.js').View>}
 */
export async function editAppForm(id) {
  const [app, scopes, admin] = await Promise.all([api.get(id), api.scopes(), mayChange(id)])
  if (!admin) throw new Refusal(403, 'Only an admin of your organisation can change apps.')
  const before = fieldsOf(app)
  /** @param {Record<string, unknown>} fields */
  const save = async fields => {
    // Only what was changed here: so what a colleague changes elsewhere at the same time stays.
    const changed = Object.entries(fields).filter(
      ([name, value]) => value !== undefined && JSON.stringify(value) !== JSON.stringify(before[name]),
    )
    if (changed.length > 0) await api.update(id, Object.fromEntries(changed))
    await go(`#/apps/${id}`)
    tell(changed.length > 0 ? 'Saved.' : 'Nothing was changed.')
  }
  const proving = METHODS.filter(([name]) => name !== 'none')
  const own = proving.some(([name]) => name === app.tokenEndpointAuthMethod)
  const hint = 'With a change, the secret or the keys of before stop working at once. To get a secret afterwards, rotate it.'
  const extra = own ? [methodChoices(proving, app.tokenEndpointAuthMethod, { label: 'How it authenticates', hint })] : []
  const form = appForm(app, scopes, { extra, verb: 'Save', back: `#/apps/${id}`, save })
  return { title: `Edit ${app.name}`, content: [heading(`Edit ${app.name}`), form] }
}

/** How an app authenticates. @type {readonly Choice[]} */
const METHODS = [
  ['client_secret_basic', 'Confidential', 'Runs on a server and can keep a secret.'],
  ['private_key_jwt', 'Confidential, with keys', 'Signs with a private key of its own. Give its public keys below.'],
  ['none', 'Public', 'A command-line, browser or mobile app: it has no secret, and must use PKCE.'],
]

/** @param {readonly Choice[]} methods @param {string} chosen @param {{ readonly label: string, readonly hint: string }} words */
function methodChoices(methods, chosen, words) {
  const caption = { name: 'tokenEndpointAuthMethod', ...words }
  const among = /** @type {const} */ ({ type: 'radio', name: caption.name, chosen: [chosen] })
  return group(
    caption,
    methods.map(option => choice(option, among)),
  )
}

/**
 * @param {Partial<App>} app
 * @param {readonly Scope[]} catalogue
 * @param {{
 *   readonly extra: readonly Node[],
 *   readonly verb: string,
 *   readonly back: string,
 *   readonly save: (fields: Record<string, unknown>) => Promise<void>,
 * }} use
 */
function appForm(app, catalogue, { back, extra, save, verb }) {
  const { allowedGrantTypes = [], allowedOrigins = [], allowedScopes = [], isConfidential = false, redirectUris = [] } = app
  const box = (/** @type {string} */ type, /** @type {unknown} */ value) => h('input', { type, value: String(value ?? '') })
  const alert = h('p', { class: 'error', role: 'alert' })
  const submit = h('button', { class: 'main' }, verb)

  const form = h('form', { novalidate: true }, alert)
  form.append(
    field(CAPTIONS.name, box('text', app.name)),
    field(CAPTIONS.description, h('textarea', { rows: '2' }, app.description ?? '')),
    ...extra,
    ...(extra.length === 0
      ? []
      : [
          field(CAPTIONS.jwksUri, box('url', app.jwksUri)),
          field(
            CAPTIONS.jwks,
            h('textarea', { rows: '3', spellcheck: 'false' }, app.jwks ? JSON.stringify(app.jwks, null, 2) : ''),
          ),
        ]),
    field(CAPTIONS.redirectUris, h('textarea', { rows: '3', spellcheck: 'false' }, redirectUris.join('\n'))),
    // What cannot be changed of a confidential app is not there.
    ...(isConfidential
      ? []
      : [field(CAPTIONS.allowedOrigins, h('textarea', { rows: '2', spellcheck: 'false' }, allowedOrigins.join('\n')))]),
    scopeChoices(catalogue, allowedScopes),
    grantChoices(allowedGrantTypes),
    group(CAPTIONS.dpopBoundAccessTokens, [choice(BOUND, { ...BOX, chosen: [String(app.dpopBoundAccessTokens ?? false)] })]),
    field(CAPTIONS.idTokenSignedResponseAlg, box('text', app.idTokenSignedResponseAlg)),
    pushChoice(app.requirePushedAuthorizationRequests ?? false),
    field(CAPTIONS.accessTokenLifetime, box('number', app.accessTokenLifetime)),
    field(CAPTIONS.refreshTokenLifetime, box('number', app.refreshTokenLifetime)),
    field(CAPTIONS.homepageUrl, box('url', app.homepageUrl)),
    field(CAPTIONS.privacyPolicyUrl, box('url', app.privacyPolicyUrl)),
    field(CAPTIONS.termsOfServiceUrl, box('url', app.termsOfServiceUrl)),
    h('div', { class: 'actions' }, h('a', { href: back, class: 'button' }, 'Cancel'), submit),
  )
  form.addEventListener('submit', event => {
    event.preventDefault()
    once(submit, async () => {
      clearProblems(form, alert)
      const fields = readFields(form)
      try {
        await save(fields)
      } catch (error) {
        showProblems(form, alert, { error, fields })
      }
    })
  })
  return form
}

const CAPTIONS = {
  name: { name: 'name', label: 'Name', hint: 'Shown to the people who are asked to agree.' },
  description: { name: 'description', label: 'Description (optional)' },
  jwksUri: {
    name: 'jwksUri',
    label: 'URL of its public keys (with keys)',
    hint: 'An https URL where the app publishes its key set, so that it can replace its keys by itself.',
  },
  jwks: {
    name: 'jwks',
    label: 'Or its public keys (with keys)',
    hint: 'A key set as JSON, {"keys": […]}. Never a private key.',
  },
  redirectUris: {
    name: 'redirectUris',
    label: 'Redirect URIs',
    hint: 'One on each line, exactly as the app sends it. None is needed with client credentials alone.',
  },
  allowedOrigins: {
    name: 'allowedOrigins',
    label: 'Allowed origins (optional)',
    hint: 'Of a public app whose pages are elsewhere than its redirect URIs, such as capacitor://localhost. One on each line.',
  },
  allowedScopes: { name: 'allowedScopes', label: 'Scopes', hint: 'What it may be allowed to do.' },
  allowedGrantTypes: { name: 'allowedGrantTypes', label: 'Grants', hint: 'How it gets its tokens.' },
  dpopBoundAccessTokens: { name: 'dpopBoundAccessTokens', label: 'Bound tokens' },
  idTokenSignedResponseAlg: {
    name: 'idTokenSignedResponseAlg',
    label: 'Its ID tokens are signed with (optional)',
    hint: 'Such as RS256, where the app knows no other algorithm.',
  },
  requirePushedAuthorizationRequests: { name: 'requirePushedAuthorizationRequests', label: 'Authorization requests' },
  accessTokenLifetime: {
    name: 'accessTokenLifetime',
    label: 'Access tokens live',
    hint: 'In seconds, 300 (5 minutes) to 86,400 (a day).',
  },
  refreshTokenLifetime: {
    name: 'refreshTokenLifetime',
    label: 'Refresh tokens live',
    hint: 'In seconds, 3600 (an hour) to 31,536,000 (a year).',
  },
  homepageUrl: { name: 'homepageUrl', label: 'Home page (optional)' },
  privacyPolicyUrl: { name: 'privacyPolicyUrl', label: 'Privacy policy (optional)' },
  termsOfServiceUrl: { name: 'termsOfServiceUrl', label: 'Terms of service (optional)' },
}

/** @type {Choice} */
const BOUND = ['true', 'Only tokens that are bound to a key', 'A stolen one is of no use. The app must send proofs (DPoP).']
const BOX = /** @type {const} */ ({ type: 'checkbox', name: 'dpopBoundAccessTokens' })

/** @param {readonly string[]} chosen */
function grantChoices(chosen) {
  const { allowedGrantTypes: caption } = CAPTIONS
  return group(
    caption,
    GRANTS.map(({ name, summary, title }) => choice([name, title, summary], { type: 'checkbox', name: caption.name, chosen })),
  )
}

/** @param {boolean} mustPush */
function pushChoice(mustPush) {
  const { requirePushedAuthorizationRequests: caption } = CAPTIONS
  const among = { type: /** @type {const} */ ('checkbox'), name: caption.name, chosen: [String(mustPush)] }
  const hint = 'It sends each request to this server first, so that nobody can read or change it in the browser.'
  return group(caption, [choice(['true', 'Only pushed ones', hint], among)])
}

/**
 * The catalogue by category, and what the app has that is no longer in it.
 *
 * @param {readonly Scope[]} catalogue
 * @param {readonly string[]} chosen
 */
function scopeChoices(catalogue, chosen) {
  const gone = chosen.filter(name => !catalogue.some(scope => scope.name === name))
  const lost = gone.map(name => ({ name, description: 'This server does not know it any more.', category: 'No longer offered' }))
  /** @type {Map<string, HTMLFieldSetElement>} */
  const categories = new Map()
  for (const { category, description, name } of [...catalogue, ...lost]) {
    const set = categories.get(category) ?? h('fieldset', {}, h('legend', {}, category || 'Other'))
    set.append(choice([name, name, description], { type: 'checkbox', name: CAPTIONS.allowedScopes.name, chosen }))
    categories.set(category, set)
  }
  return group(CAPTIONS.allowedScopes, [...categories.values()])
}

/** @param {HTMLFormElement} form */
function readFields(form) {
  const data = new FormData(form)
  const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim()
  return fieldsOf({
    name: text('name'),
    description: text('description'),
    redirectUris: text('redirectUris').split('\n'),
    allowedOrigins: text('allowedOrigins').split('\n'),
    allowedScopes: data.getAll('allowedScopes').map(String),
    allowedGrantTypes: data.getAll('allowedGrantTypes').map(String),
    dpopBoundAccessTokens: data.has('dpopBoundAccessTokens'),
    tokenEndpointAuthMethod: text('tokenEndpointAuthMethod') || undefined,
    jwks: keySetOf(text('jwks')),
    jwksUri: text('jwksUri') || undefined,
    idTokenSignedResponseAlg: text('idTokenSignedResponseAlg'),
    requirePushedAuthorizationRequests: data.has('requirePushedAuthorizationRequests'),
    accessTokenLifetime: Number.parseFloat(text('accessTokenLifetime')),
    refreshTokenLifetime: Number.parseFloat(text('refreshTokenLifetime')),
    homepageUrl: text('homepageUrl'),
    privacyPolicyUrl: text('privacyPolicyUrl'),
    termsOfServiceUrl: text('termsOfServiceUrl'),
  })
}

/**
 * What can be changed of an app, in one order whatever it came from.
 *
 * @param {{ readonly [Name in keyof App]?: App[Name] | undefined }} app
 * @returns {Record<string, unknown>}
 */
function fieldsOf(app) {
  return {
    name: app.name,
    description: app.description ?? '',
    redirectUris: linesOf(app.redirectUris),
    allowedOrigins: linesOf(app.allowedOrigins),
    allowedScopes: app.allowedScopes?.toSorted(),
    allowedGrantTypes: app.allowedGrantTypes?.toSorted(),
    dpopBoundAccessTokens: app.dpopBoundAccessTokens ?? false,
    tokenEndpointAuthMethod: app.tokenEndpointAuthMethod,
    jwks: app.jwks,
    jwksUri: app.jwksUri,
    idTokenSignedResponseAlg: app.idTokenSignedResponseAlg || null,
    requirePushedAuthorizationRequests: app.requirePushedAuthorizationRequests ?? false,
    accessTokenLifetime: app.accessTokenLifetime,
    refreshTokenLifetime: app.refreshTokenLifetime,
    homepageUrl: app.homepageUrl || null,
    privacyPolicyUrl: app.privacyPolicyUrl || null,
    termsOfServiceUrl: app.termsOfServiceUrl || null,
  }
}

/** What is no JSON goes as it is: the API says what it must be. @param {string} text */
function keySetOf(text) {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return text
  }
}

const linesOf = (/** @type {readonly string[]} */ lines = []) => lines.map(line => line.trim()).filter(line => line !== '')

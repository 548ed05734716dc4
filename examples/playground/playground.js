/** @import { Action, ActionName, Exchange, Host, Plan, Shown, State } from './types.ts' */

import { toCurl } from './curl.js'
import { announce, find } from './dom.js'
import { gettingTokens } from './getting-tokens.js'
import { forget, recall, remember } from './memory.js'
import { reusingTokens } from './reusing-tokens.js'
import { show } from './show.js'
import { usingTokens } from './using-tokens.js'
import { send, statusOf } from './wire.js'

/** @type {Record<ActionName, Action>} */
const actions = { ...gettingTokens, ...usingTokens, ...reusingTokens }

/** @type {Host} */
const host = JSON.parse(document.body.dataset.host ?? '')
const forms = [...document.querySelectorAll('form')].map(form => ({
  form,
  name: /** @type {ActionName} */ (form.dataset.action),
  output: find(`[data-output=${form.dataset.action}]`, HTMLElement),
}))
const state = recall(host)
/** One thing at a time: what an action knows must not change under it. */
let busy = false
/** What stands in the page now. @type {Partial<Record<ActionName, Shown | undefined>>} */
const rendered = {}

// Under another name of this machine the browser has no session of the host's, and no app's address.
if (location.origin === host.issuer) start()
else location.replace(`${host.issuer}${location.pathname}`)

function start() {
  const returned = takeReturn()
  for (const { form, name } of forms) {
    form.addEventListener('submit', event => {
      event.preventDefault()
      run(name, form)
    })
  }
  find('#start-over', HTMLButtonElement).addEventListener('click', () => {
    forget()
    location.assign(location.pathname)
  })
  // A page that the browser has kept knows nothing of what has happened since.
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
  for (const { name } of forms) render(name)
  update()
  setInterval(() => state.spent && update(), 250)
  if (returned) goTo(returned)
}

/** @param {ActionName} name */
function goTo(name) {
  const heading = find(`section:has([data-action=${name}]) h2`, HTMLElement)
  heading.focus({ preventScroll: true })
  heading.scrollIntoView()
}

/**
 * @param {ActionName} name
 * @param {HTMLFormElement} form
 */
async function run(name, form) {
  if (busy || actions[name].missing(state, host) !== null) return
  busy = true
  form.setAttribute('aria-busy', 'true')
  try {
    const before = structuredClone(state)
    /** @type {Exchange[]} */
    const exchanges = []
    const plans = await actions[name].plan(state, new FormData(form))
    for (const [index, plan] of plans.entries()) {
      if (plan.leaves) return leave(name, plan)
      const answer = plan.request ? await send(plan.request) : { kind: /** @type {const} */ ('made'), values: plan.made ?? [] }
      const exchange = { ...exchangeOf(plan), answer }
      actions[name].learn?.(state, exchange, index)
      exchanges.push(exchange)
    }
    keep(name, exchanges, before)
    for (const { name } of forms) render(name)
    update()
    tell(name)
  } finally {
    busy = false
    form.removeAttribute('aria-busy')
  }
}

/**
 * Sends the browser away. What is shown is finished when it comes back.
 * @param {ActionName} name
 * @param {Plan} plan
 */
function leave(name, plan) {
  state.shown[name] = { exchanges: [exchangeOf(plan)], notes: [], inside: null }
  remember(state)
  location.assign(plan.request?.url ?? '')
}

/**
 * The browser has come back, from the authorization endpoint or from a logout.
 * @returns {ActionName | null} which of the two it was
 */
function takeReturn() {
  const query = new URLSearchParams(location.search)
  if (!query.has('state') && !query.has('code') && !query.has('error')) return null
  const name = state.logoutState !== null && query.get('state') === state.logoutState ? 'signOut' : 'authorize'
  const url = location.href
  // A code does not belong into the history, nor into what somebody copies from the address bar.
  history.replaceState(null, '', location.pathname)
  const waiting = state.shown[name]?.exchanges[0]
  if (waiting?.answer !== null) {
    announce('An answer came that nothing here had asked for. It is not used.')
    return null
  }
  const before = structuredClone(state)
  const exchange = { ...waiting, answer: { kind: /** @type {const} */ ('callback'), url } }
  actions[name].learn?.(state, exchange, 0)
  keep(name, [exchange], before)
  tell(name)
  return name
}

/**
 * @param {ActionName} name
 * @param {readonly Exchange[]} exchanges
 * @param {State} before
 */
function keep(name, exchanges, before) {
  const { inside, notes } = actions[name]
  state.shown[name] = { exchanges, notes: notes(state, exchanges, before), inside: inside?.(exchanges) ?? null }
  remember(state)
}

/**
 * @param {Plan} plan
 * @returns {Exchange}
 */
function exchangeOf({ code, curl, request, title }) {
  return { title: title ?? null, request, answer: null, code, curl: curl ?? (request ? toCurl(request) : '') }
}

/** @param {ActionName} name */
function render(name) {
  const shown = state.shown[name]
  if (rendered[name] === shown) return
  rendered[name] = shown
  find(`[data-output=${name}]`, HTMLElement).replaceChildren(...(shown ? show(shown) : []))
}

/** Everything that depends on how far one has come. */
function update() {
  const { user } = state
  find('#who', HTMLElement).textContent = user
    ? `Signed in as ${user.name}${user.isAdmin ? `, admin of ${user.orgId}` : ''}`
    : 'Nobody is signed in'
  for (const { form, name } of forms) {
    const missing = actions[name].missing(state, host)
    find('fieldset', HTMLFieldSetElement, form).disabled = missing !== null
    const hint = find('.hint', HTMLElement, form)
    if (hint.textContent !== (missing ?? '')) hint.textContent = missing ?? ''
  }
  const steps = [...document.querySelectorAll('section.step')].map(step => ({ step, ...progressOf(step) }))
  const current = steps.find(({ done }) => !done)
  for (const [index, { answered, done, open, step }] of steps.entries()) {
    step.classList.toggle('done', done)
    step.classList.toggle('locked', !done && !open)
    const link = find(`nav a[href="#${step.id}"]`, HTMLAnchorElement)
    link.className = done ? 'done' : open ? 'open' : 'locked'
    link.ariaCurrent = step === current?.step ? 'step' : null
    find('.state', HTMLElement, link).textContent = done ? 'done' : open ? '' : 'not open yet'
    const following = steps[index + 1]
    find('.next', HTMLElement, step).hidden = !answered || (following !== undefined && !following.open && !following.done)
  }
  showGrace()
}

/**
 * `answered`: it was done. `done`: and it went well. `open`: something in it can be done.
 * @param {Element} step
 */
function progressOf(step) {
  const own = forms.filter(({ form }) => step.contains(form))
  // Further buttons of a step are there to be tried; those marked so belong to it.
  const needed = own.filter(({ form }, index) => index === 0 || form.dataset.needed !== undefined)
  const shown = needed.map(({ name }) => state.shown[name])
  const signedIn = step.id === 'sign-in' && state.user !== null
  const answered = signedIn || shown.every(one => one?.exchanges.some(({ answer }) => answer !== null))
  const wentWell = shown.every(one => one?.notes.every(({ kind }) => kind !== 'bad'))
  return {
    answered,
    done: step.id === 'sign-in' ? signedIn : answered && wentWell,
    open: own.some(({ name }) => actions[name].missing(state, host) === null),
  }
}

function showGrace() {
  const bar = find('#grace', HTMLProgressElement)
  const since = state.spent?.since
  const passed = since === undefined ? 0 : Math.min((Date.now() - since) / 1000, host.graceSeconds)
  bar.max = host.graceSeconds
  bar.value = passed
  const running = since !== undefined && passed < host.graceSeconds
  if (!bar.hidden && !running && since !== undefined) announce('The grace is over: the spent token can be used once more.')
  bar.hidden = !running
}

/** @param {ActionName} name */
function tell(name) {
  const { exchanges = [], notes = [] } = state.shown[name] ?? {}
  const answers = exchanges.map(exchange => (statusOf(exchange) ? `Answer ${statusOf(exchange)}.` : ''))
  announce([...answers, ...notes.map(({ text }) => text)].join(' ').trim())
}

import { Refusal } from './api.js'
import { h } from './dom.js'
import { explain } from './notices.js'

/** @typedef {readonly [value: string, label: string, hint: string]} Choice */
/** What is said of a field: `name` is the API's. @typedef {{ readonly name: string, readonly label: string, readonly hint?: string }} Caption */

/**
 * A control with its label, what helps to fill it in, and room for what is wrong with it.
 *
 * @param {Caption} caption
 * @param {HTMLInputElement | HTMLTextAreaElement} control
 */
export function field({ hint = '', label, name }, control) {
  control.id = control.name = name
  control.setAttribute('aria-describedby', `${name}-hint ${name}-error`)
  return h('div', { class: 'field' }, h('label', { for: name }, label), hintOf(name, hint), control, errorOf(name))
}

/**
 * The same for several boxes of one name.
 *
 * @param {Caption} caption
 * @param {readonly Node[]} boxes
 */
export function group({ hint = '', label, name }, boxes) {
  const described = { 'aria-describedby': `${name}-hint ${name}-error` }
  return h('fieldset', described, h('legend', {}, label), hintOf(name, hint), ...boxes, errorOf(name))
}

/**
 * @param {Choice} option
 * @param {{ readonly type: 'checkbox' | 'radio', readonly name: string, readonly chosen: readonly string[] }} among
 */
export function choice([value, label, hint], { chosen, name, type }) {
  const box = h('input', { type, name, value, checked: chosen.includes(value) })
  return h('label', { class: 'choice' }, box, h('span', {}, h('bdi', {}, label), ' ', h('small', {}, h('bdi', {}, hint))))
}

const hintOf = (/** @type {string} */ name, /** @type {string} */ hint) =>
  h('p', { class: 'soft', id: `${name}-hint`, hidden: hint === '' }, hint)

const errorOf = (/** @type {string} */ name) => h('p', { class: 'error', id: `${name}-error` })

/** @param {HTMLFormElement} form @param {HTMLElement} alert */
export function clearProblems(form, alert) {
  alert.replaceChildren()
  for (const error of form.querySelectorAll('.error')) error.replaceChildren()
  for (const control of form.querySelectorAll('[aria-invalid]')) control.removeAttribute('aria-invalid')
}

/**
 * Each of the API's problems at its field, and the focus at the first; what belongs to no field stands above.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement} alert
 * @param {{ readonly error: unknown, readonly fields: Readonly<Record<string, unknown>> }} refused What was refused, and why.
 */
export function showProblems(form, alert, { error, fields }) {
  const problems = error instanceof Refusal ? error.problems : []
  alert.append(...(problems.length > 0 ? ['Some fields need your attention.'] : explain(error)))
  for (const { message, path } of problems) {
    const [name = '', index] = path.split('.')
    const place = form.querySelector(`#${CSS.escape(`${name}-error`)}`)
    const list = fields[name]
    const entry = Array.isArray(list) && index !== undefined ? list[Number(index)] : undefined
    if (!place) alert.append(` ${path} ${message}.`)
    else if (entry !== undefined) place.append(`${entry} ${message}. `)
    else place.append(`${message[0]?.toUpperCase()}${message.slice(1)}. `)
    form.querySelector(`#${CSS.escape(name)}`)?.setAttribute('aria-invalid', 'true')
  }
  const first = [...form.querySelectorAll('.error:not([role])')].find(({ textContent }) => textContent !== '')
  const control = first?.parentElement?.querySelector('input, textarea')
  if (control instanceof HTMLElement) control.focus()
  else alert.scrollIntoView({ block: 'center' })
}

import { button, copyButton, h } from './dom.js'
import { clearNotices, tell } from './notices.js'

const place = /** @type {HTMLElement} */ (document.getElementById('secret'))

/** Whether a new secret is still there to be copied. */
export const isSecretShown = () => place.hasChildNodes()

/**
 * Shows a new secret, for the only time that it can be seen. It stands above the views, whatever becomes of them, until
 * someone says that it is saved: whoever loses it has to make another.
 *
 * @param {string} name Of the app.
 * @param {string} secret
 */
export function showSecret(name, secret) {
  const code = h('code', { id: 'client-secret', translate: 'no' }, secret)
  const saved = button('I have saved it', {}, () => {
    place.replaceChildren()
    // What was said with it asks to copy it.
    clearNotices()
    document.querySelector('h1')?.focus()
  })
  const labels = { 'aria-labelledby': 'secret-title', 'aria-describedby': 'secret-text' }
  const panel = h(
    'div',
    { class: 'secret', role: 'group', id: 'secret-panel', tabindex: '-1', ...labels },
    h('h2', { id: 'secret-title' }, 'Client secret of ', h('bdi', {}, name)),
    h('p', { id: 'secret-text' }, 'Copy it now and keep it safe: you will not see it again.'),
    code,
    h('div', { class: 'actions' }, copyButton('Copy the secret', code, tell), saved),
  )
  place.replaceChildren(panel)
  panel.focus()
}

import { button, h, once } from './dom.js'
import { complain, explain } from './notices.js'

/**
 * Asks before something is done that cannot be undone. The dialog stays until that has worked, or was given up.
 *
 * @template Result
 * @param {{
 *   readonly title: string,
 *   readonly text: readonly (Node | string)[],
 *   readonly verb: string,
 *   readonly control?: HTMLElement,
 *   readonly ready?: () => string | undefined,
 *   readonly act: () => Promise<Result>,
 *   readonly done: (result: Result) => unknown,
 * }} question `ready` says what is still missing, if anything; `done` is called when the dialog has gone.
 */
export function ask({ act, control, done, ready = () => undefined, text, title, verb }) {
  const error = h('p', { class: 'error', role: 'alert' })
  const confirm = h('button', { class: 'danger' }, verb)

  const submit = async () => {
    const missing = ready()
    error.replaceChildren(missing ?? '')
    if (missing !== undefined) return
    try {
      const result = await act()
      dialog.close()
      await done(result)
    } catch (refused) {
      // Whoever has closed the dialog meanwhile must hear of it all the same.
      if (dialog.open) error.replaceChildren(...explain(refused))
      else complain(refused)
    }
  }
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault()
    once(confirm, submit)
  }

  const cancel = button('Cancel', {}, () => dialog.close())
  const form = h('form', { onsubmit }, h('h2', { id: 'question' }, title), h('p', { id: 'question-text' }, ...text))
  form.append(...(control ? [control] : []), error, h('div', { class: 'actions' }, cancel, confirm))
  const labels = { 'aria-labelledby': 'question', 'aria-describedby': 'question-text' }
  const dialog = h('dialog', { ...labels, onclose: () => dialog.remove() }, form)
  document.body.append(dialog)
  dialog.showModal()
}

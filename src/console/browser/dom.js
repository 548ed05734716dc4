/** @typedef {string | boolean | ((event: Event) => void)} Property */

/**
 * An element. Texts among its children become text, whatever is in them: nothing here ever parses markup.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, Property>>} properties Attributes; `true` for one without a value; functions are listeners: `onclick`.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else if (value !== false) element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children)
  return element
}

/**
 * A link for an address that somebody else has typed; only its text, where that is no web page.
 *
 * @param {string} url
 */
export function webLink(url) {
  return /^https?:\/\//i.test(url) ? h('a', { href: url, target: '_blank', rel: 'noopener noreferrer nofollow' }, url) : url
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** @param {string} instant */
export function time(instant) {
  return h('time', { datetime: instant }, DATE.format(new Date(instant)))
}

/**
 * A button that does one thing at a time: pressed again while that goes on, it does nothing.
 *
 * @param {string} label
 * @param {Readonly<Record<string, string>>} properties
 * @param {(button: HTMLButtonElement) => unknown} act Must not reject.
 */
export function button(label, properties, act) {
  const made = h('button', { type: 'button', ...properties, onclick: () => once(made, () => act(made)) }, label)
  return made
}

/**
 * Runs something while a control says that it is busy, unless it is already.
 *
 * @param {HTMLElement} control
 * @param {() => unknown} run
 */
export async function once(control, run) {
  if (control.ariaBusy === 'true') return
  control.ariaBusy = 'true'
  try {
    await run()
  } finally {
    control.ariaBusy = null
  }
}

/**
 * A button that copies a text, and says so. Where the browser does not allow that, it selects what `source` shows.
 *
 * @param {string} label
 * @param {HTMLElement} source
 * @param {(text: string) => void} tell
 */
export function copyButton(label, source, tell) {
  return button(label, {}, async () => {
    try {
      await navigator.clipboard.writeText(source.textContent)
      tell('Copied.')
    } catch {
      getSelection()?.selectAllChildren(source)
      tell('The browser does not let this page copy: it is selected, so copy it with the keyboard.')
    }
  })
}

/**
 * An element. What is put into it is text or elements, never HTML.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/**
 * @template {Element} Found
 * @param {string} selector
 * @param {new () => Found} type
 * @param {ParentNode} [within]
 * @returns {Found}
 */
export function find(selector, type, within = document) {
  const found = within.querySelector(selector)
  if (!(found instanceof type)) throw new Error(`the page has no ${selector}`)
  return found
}

/** @param {string} text read out to whoever cannot see what has changed */
export function announce(text) {
  find('#live', HTMLElement).textContent = text
}

import { element } from './dom.js'

const LANGUAGES = {
  json: /(?<key>"(?:\\.|[^"\\])*"(?=\s*:))|(?<string>"(?:\\.|[^"\\])*")|(?<word>true|false|null)|(?<amount>-?\d[\d.eE+-]*)/g,
  js: /(?<comment>\/\/.*)|(?<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?<word>\b(?:import|from|as|const|await|new|true|false|null)\b)|(?<amount>\b\d+\b)/g,
  shell: /(?<comment>^#.*)|(?<string>'[^']*'|"[^"]*")|(?<word>\b(?:curl|openssl|base64|printf|tr)\b)|(?<key>(?<=\s)-\w+)/gm,
  headers: /(?<key>^[\w-]+(?=: ))/gm,
}

/**
 * Text with its parts marked. As text it is the same.
 * @param {string} text
 * @param {keyof typeof LANGUAGES} language
 * @returns {(Node | string)[]}
 */
export function highlight(text, language) {
  /** @type {(Node | string)[]} */
  const parts = []
  let end = 0
  for (const match of text.matchAll(LANGUAGES[language])) {
    const [kind = 'word'] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? []
    // A token has no place of its own where a line could end.
    const long = match[0].length > 40 && !match[0].includes(' ')
    parts.push(text.slice(end, match.index), element('span', { class: long ? `${kind} long` : kind }, match[0]))
    end = match.index + match[0].length
  }
  return [...parts, text.slice(end)]
}

/**
 * The fields of a form, each on a line of its own; as text nothing is added.
 * @param {string} form
 * @returns {(Node | string)[]}
 */
export function highlightForm(form) {
  return form.split('&').map((pair, index) => {
    const [name = '', ...value] = pair.split('=')
    const parts = [element('span', { class: 'key' }, name), '=', element('span', { class: 'string' }, value.join('='))]
    return element('span', { class: 'line' }, index === 0 ? '' : '&', ...parts)
  })
}

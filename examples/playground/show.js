/** @import { Answer, Exchange, Inside, Note, Sent, Shown } from './types.ts' */
import { announce, element } from './dom.js'
import { highlight, highlightForm } from './highlight.js'

/** Headers of an answer that mean something to a client; the others are folded away. */
const TELLING = /^(content-type|cache-control|www-authenticate|retry-after|ratelimit.*|location|link)$/

/**
 * What an action did, and what there is to notice.
 * @param {Shown} shown
 * @returns {HTMLElement[]}
 */
export function show({ exchanges, inside, notes }) {
  const list = element('ul', { class: 'notes' }, ...notes.map(showNote))
  return [...exchanges.map(showExchange), ...(inside ? [showInside(inside)] : []), ...(notes.length > 0 ? [list] : [])]
}

/** @param {Note} note */
function showNote({ kind, text }) {
  const mark = { good: '✓', bad: '!', fact: '·' }[kind]
  return element(
    'li',
    { class: kind },
    element('span', { 'aria-hidden': 'true', class: 'mark' }, mark),
    element('span', {}, text),
  )
}

/** @param {Inside} inside */
function showInside({ title, value }) {
  const pre = element('pre', {}, ...highlight(JSON.stringify(value, null, 2), 'json'))
  return element('details', { class: 'inside' }, element('summary', {}, title), pre)
}

let count = 0

/** @param {Exchange} exchange */
function showExchange({ answer, code, curl, request, title }) {
  const id = `exchange-${++count}`
  const wire = request ? element('div', { class: 'sides' }, ...showRequest(request), ...showAnswer(answer)) : showMade(answer)
  const panels = [
    { name: request ? 'On the wire' : 'The values', content: wire },
    { name: request ? 'curl' : 'Shell', content: showCode(curl, 'shell') },
    { name: 'Client code', content: showCode(code, 'js') },
  ]
  const tabs = panels.map(({ name }, index) =>
    element(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `${id}-tab-${index}`,
        'aria-controls': `${id}-panel-${index}`,
      },
      name,
    ),
  )
  const bodies = panels.map(({ content }, index) =>
    element(
      'div',
      { role: 'tabpanel', id: `${id}-panel-${index}`, 'aria-labelledby': `${id}-tab-${index}`, class: 'panel' },
      content,
    ),
  )
  connect(tabs, bodies)
  const tablist = element('div', { role: 'tablist', 'aria-label': 'Ways to see it', class: 'tabs' }, ...tabs)
  const heading = title === null ? [] : [element('h3', { class: 'title' }, title)]
  return element('div', { class: 'exchange' }, ...heading, element('div', { class: 'frame' }, tablist, ...bodies))
}

/**
 * The tabs of the ARIA Authoring Practices: arrows move between them, Tab goes on to what they show.
 * @param {HTMLElement[]} tabs
 * @param {HTMLElement[]} panels
 */
function connect(tabs, panels) {
  /** @param {number} chosen */
  const select = chosen => {
    for (const [index, tab] of tabs.entries()) {
      tab.setAttribute('aria-selected', String(index === chosen))
      tab.tabIndex = index === chosen ? 0 : -1
      const panel = panels[index]
      if (panel) panel.hidden = index !== chosen
    }
  }
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener('click', () => select(index))
    tab.addEventListener('keydown', event => {
      const last = tabs.length - 1
      /** @type {Record<string, number>} */
      const moves = { ArrowRight: index === last ? 0 : index + 1, ArrowLeft: index === 0 ? last : index - 1, Home: 0, End: last }
      const next = moves[event.key]
      if (next === undefined) return
      event.preventDefault()
      select(next)
      tabs[next]?.focus()
    })
  }
  select(0)
}

/** @param {Sent} request */
function showRequest({ body, headers, method, session, url }) {
  const { origin, pathname, search } = new URL(url)
  const target = [element('span', { class: 'method' }, method), ' ', element('span', { class: 'soft' }, origin), pathname]
  const query = search === '' ? [] : ['?', ...highlightForm(search.slice(1))]
  const lines = Object.entries(headers).map(([name, value]) => `\n${name}: ${value}`)
  const pre = element('pre', { class: 'request' }, ...target, ...query, ...highlight(lines.join(''), 'headers'))
  if (body !== null) {
    const form = headers['content-type'] === 'application/x-www-form-urlencoded'
    pre.append('\n\n', element('span', { class: 'body' }, ...(form ? highlightForm(body) : highlight(body, 'json'))))
  }
  const side = element('section', { class: 'side' }, element('h3', {}, 'Request'), pre)
  if (session === 'sent')
    side.append(element('p', { class: 'remark' }, '+ the cookie of the host’s session, which the browser adds'))
  return [side]
}

/** @param {Answer | null} answer */
function showAnswer(answer) {
  const side = element('section', { class: 'side' })
  if (answer === null) {
    side.append(
      element('h3', {}, 'Answer'),
      element('p', { class: 'remark' }, 'None yet: the browser left, and did not come back.'),
    )
  } else if (answer.kind === 'failure') {
    side.append(element('h3', {}, 'Answer'), element('p', { class: 'remark bad' }, `None: ${answer.message}`))
  } else if (answer.kind === 'callback') {
    const { origin, pathname, search } = new URL(answer.url)
    const pre = element('pre', { class: 'answer' }, element('span', { class: 'method' }, 'GET'), ' ')
    pre.append(element('span', { class: 'soft' }, origin), pathname, '?', ...highlightForm(search.slice(1)))
    side.append(element('h3', {}, 'The browser comes back with'), pre)
  } else if (answer.kind === 'response') {
    side.append(...showResponse(answer))
  }
  return [side]
}

/** @param {Answer & { kind: 'response' }} answer */
function showResponse({ body, followedTo, headers, milliseconds, status, statusText }) {
  const kind = status < 400 ? 'good' : 'bad'
  const badge = element('span', { class: `status ${kind}` }, `${status} ${statusText}`.trim())
  const heading = element('h3', {}, 'Answer ', badge, ' ', element('span', { class: 'soft' }, `${milliseconds} ms`))
  const lines = (/** @type {boolean} */ telling) =>
    headers.filter(([name]) => TELLING.test(name) === telling).map(([name, value]) => `${name}: ${value}`)
  const pre = element('pre', { class: 'answer' }, ...highlight(lines(true).join('\n'), 'headers'))
  const page = /^text\/html/.test(headers.find(([name]) => name === 'content-type')?.[1] ?? '')
  if (body !== '' && !page) pre.append('\n\n', element('span', { class: 'body' }, ...showBody(body)))
  const others = lines(false)
  const label = `${others.length} more header${others.length === 1 ? '' : 's'}`
  const more = element('details', { class: 'more' }, element('summary', {}, label))
  more.append(element('pre', {}, ...highlight(others.join('\n'), 'headers')))
  const followed =
    followedTo === null ? [] : [element('p', { class: 'remark' }, `After a redirect to ${new URL(followedTo).pathname}:`)]
  const rest = page
    ? [element('details', {}, element('summary', {}, 'The body is a page'), element('pre', { class: 'page' }, body))]
    : body === ''
      ? [element('p', { class: 'remark' }, 'No body.')]
      : []
  return [heading, ...followed, pre, ...rest, more]
}

/** @param {string} body */
function showBody(body) {
  try {
    return highlight(JSON.stringify(JSON.parse(body), null, 2), 'json')
  } catch {
    return [body]
  }
}

/** @param {Answer | null} answer */
function showMade(answer) {
  const values = answer?.kind === 'made' ? answer.values : []
  const pairs = values.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)])
  return element('dl', { class: 'made' }, ...pairs)
}

/**
 * @param {string} text
 * @param {'shell' | 'js'} language
 */
function showCode(text, language) {
  const copy = element('button', { type: 'button', class: 'copy' }, 'Copy')
  const pre = element('pre', { class: 'code' }, ...highlight(text, language))
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text)
      copy.textContent = 'Copied'
      announce('Copied')
      setTimeout(() => {
        copy.textContent = 'Copy'
      }, 2000)
    } catch {
      // The browser said no: with the text selected, one key is left to press.
      getSelection()?.selectAllChildren(pre)
      announce('The text is selected: copy it')
    }
  })
  return element('div', { class: 'code-box' }, copy, pre)
}

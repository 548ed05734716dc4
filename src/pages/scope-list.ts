import type { Messages } from './messages/en.ts'
import { escapeHtml, fill, isolated } from './page.ts'
import type { ScopeFacts } from './scope-words.ts'

/** Says who is signed in: the first known name, and smaller what else is known. Empty if nothing is. */
export function signedInNames(names: readonly (string | null)[], messages: Messages): string {
  const [main, ...others] = names.filter((name): name is string => name !== null && name !== '')
  const name = main === undefined ? '' : fill(messages.signedInAs, { user: `<strong>${isolated(main)}</strong>` })
  const more = others.map(isolated).join(' · ')
  return name === '' ? '' : `<span>${name}${more === '' ? '' : `<br><span class="soft">${more}</span>`}</span>`
}

/** Lists what the user may allow or not. In the document Deny precedes Allow, so Enter in a check box denies. */
export function optionalScopes(scopes: readonly (ScopeFacts & { readonly granted?: boolean })[], messages: Messages): string {
  if (scopes.length === 0) return ''
  const boxes = scopes.map(scope => {
    const value = `value="${escapeHtml(scope.name)}"${scope.granted ? ' checked' : ''}`
    return `<li><label class="choice"><input type="checkbox" name="optional_scope" ${value}><span>${scopeInWords(scope, messages)}</span></label></li>`
  })
  return `<h2>${escapeHtml(messages.optionalScopes)}</h2><ul class="plain">${boxes.join('')}</ul>`
}

/** Says what a scope allows, what kind it is, and what else there is to know. */
export function scopeInWords({ access, description, detail, sensitive }: ScopeFacts, messages: Messages): string {
  const mark = sensitive ? ` <strong class="mark warn">${escapeHtml(messages.sensitive)}</strong>` : ''
  const change = access === 'write' ? ` <span class="mark">${escapeHtml(messages.changesData)}</span>` : ''
  const more = detail === '' ? '' : `<br><span class="soft">${isolated(detail)}</span>`
  return `${isolated(description)}${mark}${change}${more}`
}

import type { HttpResponse } from '../http/types.ts'
import { escapeHtml, fill, isolated, renderPage } from './page.ts'
import type { PageSetting } from './page-setting.ts'

/** The contents of the page of connected apps. */
export interface ConnectedAppsView {
  readonly apps: readonly {
    readonly appId: string
    readonly name: string
    readonly scopes: readonly { readonly description: string }[]
    readonly grantedAt: string
  }[]
  /** The path of the forms, to which the app's id is added. */
  readonly action: string
  /** Proves that a form came from this page. */
  readonly formId: string
  /** The name of the app that has just been removed; null if none was. */
  readonly removed: string | null
}

/** Renders the apps that the user has allowed, each with a button that withdraws the consent. */
export function connectedAppsPage({ action, apps, formId, removed }: ConnectedAppsView, setting: PageSetting): HttpResponse {
  const { messages, tag } = setting.language
  const date = new Intl.DateTimeFormat(tag, { dateStyle: 'long', timeZone: 'UTC' })
  const items = apps.map(
    ({ appId, grantedAt, name, scopes }) => `<li>
<h2 id="app-${appId}">${isolated(name)}</h2>
<p class="soft">${fill(messages.connectedSince, { date: `<time datetime="${grantedAt}">${escapeHtml(date.format(new Date(grantedAt)))}</time>` })}</p>
<p class="soft">${scopes.map(({ description }) => isolated(description)).join(' · ')}</p>
<form method="post" action="${escapeHtml(`${action}/${appId}`)}">
<input type="hidden" name="form_id" value="${escapeHtml(formId)}">
<button class="danger" aria-describedby="app-${appId}">${escapeHtml(messages.removeAccess)}</button>
</form>
</li>`,
  )
  const body = `<h1>${escapeHtml(messages.connectedTitle)}</h1>
${removed === null ? '' : `<p role="status" class="badge good"><span>${fill(messages.accessRemoved, { app: isolated(removed) })}</span></p>`}
<p>${items.length > 0 ? fill(messages.connectedIntro, { server: isolated(setting.theme.name) }) : escapeHtml(messages.connectedNone)}</p>
<ul class="plain">${items.join('\n')}</ul>`
  return renderPage(200, { ...setting, title: messages.connectedTitle, body, formAction: "'self'" })
}

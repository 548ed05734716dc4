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
    readonly devices: readonly Device[]
  }[]
  /** The path of the forms, to which the app's id is added. */
  readonly action: string
  /** Proves that a form came from this page. */
  readonly formId: string
  /** The name of the app that has just been removed; null if none was. */
  readonly removed: string | null
  /** The name of the app that has just been ended on one device; null if none was. */
  readonly ended: string | null
}

/** One device, or one sign-in, of an app. */
interface Device {
  readonly grantId: string
  readonly signedInAt: string
  readonly lastUsedAt: string
  readonly name?: string | undefined
  readonly ip?: string | undefined
  readonly place?: string | undefined
}

/** Renders the apps that the user has allowed, each with a button that withdraws the consent. */
export function connectedAppsPage(
  { action, apps, ended, formId, removed }: ConnectedAppsView,
  setting: PageSetting,
): HttpResponse {
  const { messages, tag } = setting.language
  const format = new Intl.DateTimeFormat(tag, { dateStyle: 'long', timeZone: 'UTC' })
  const date = (at: string) => `<time datetime="${at}">${escapeHtml(format.format(new Date(at)))}</time>`
  const form = (
    path: string,
    described: string,
    label: string,
  ) => `<form method="post" action="${escapeHtml(`${action}/${path}`)}">
<input type="hidden" name="form_id" value="${escapeHtml(formId)}">
<button class="danger" aria-describedby="${described}">${escapeHtml(label)}</button>
</form>`
  const deviceItem = (appId: string, { grantId, ip, lastUsedAt, name, place, signedInAt }: Device) => {
    const where = [name, place, ip].filter(text => text !== undefined).map(isolated)
    const when = [fill(messages.signedInOn, { date: date(signedInAt) }), fill(messages.lastUsed, { date: date(lastUsedAt) })]
    return `<li><p class="soft" id="device-${grantId}">${[...where, ...when].join(' · ')}</p>
${form(`${appId}/devices/${grantId}`, `device-${grantId}`, messages.endDevice)}</li>`
  }
  const deviceList = (appId: string, devices: readonly Device[]) =>
    devices.length === 0
      ? ''
      : `<details><summary>${escapeHtml(messages.whereSignedIn)} (${devices.length})</summary>
<ul class="plain">${devices.map(device => deviceItem(appId, device)).join('\n')}</ul></details>`
  const items = apps.map(
    ({ appId, devices, grantedAt, name, scopes }) => `<li>
<h2 id="app-${appId}">${isolated(name)}</h2>
<p class="soft">${fill(messages.connectedSince, { date: date(grantedAt) })}</p>
<p class="soft">${scopes.map(({ description }) => isolated(description)).join(' · ')}</p>
${deviceList(appId, devices)}
${form(appId, `app-${appId}`, messages.removeAccess)}
</li>`,
  )
  const status = (message: string, app: string) =>
    `<p role="status" class="badge good"><span>${fill(message, { app: isolated(app) })}</span></p>`
  const body = `<h1>${escapeHtml(messages.connectedTitle)}</h1>
${removed === null ? '' : status(messages.accessRemoved, removed)}
${ended === null ? '' : status(messages.deviceEnded, ended)}
<p>${items.length > 0 ? fill(messages.connectedIntro, { server: isolated(setting.theme.name) }) : escapeHtml(messages.connectedNone)}</p>
<ul class="plain">${items.join('\n')}</ul>`
  return renderPage(200, { ...setting, title: messages.connectedTitle, body, formAction: "'self'" })
}

import type { EpochMs } from '../base/time.ts'
import type { HttpResponse } from '../http/types.ts'
import { escapeHtml, fill, fillText, isolated, renderPage } from './page.ts'
import type { PageSetting } from './page-setting.ts'
import { optionalScopes, scopeInWords, signedInNames } from './scope-list.ts'
import type { ScopeFacts } from './scope-words.ts'

/** Renders the page on which a user types the code that a device shows. */
export function deviceCodePage(
  { action, wrong }: { readonly action: string; readonly wrong: boolean },
  setting: PageSetting,
): HttpResponse {
  const { messages } = setting.language
  const problem = `<p id="problem" role="alert" class="badge warn"><span aria-hidden="true">!</span><span>${escapeHtml(messages.deviceCodeWrong)}</span></p>`
  const body = `<h1>${escapeHtml(messages.deviceTitle)}</h1>
<p>${escapeHtml(messages.deviceEnterCode)}</p>
${wrong ? problem : ''}
<form method="get" action="${escapeHtml(action)}">
<label for="code">${escapeHtml(messages.deviceCode)}</label>
<input id="code" name="user_code" dir="ltr" required maxlength="40" autocomplete="off" autocapitalize="characters" spellcheck="false"${wrong ? ' aria-invalid="true" aria-describedby="problem"' : ''}>
<div class="actions"><button class="main">${escapeHtml(messages.continueButton)}</button></div>
</form>`
  return renderPage(wrong ? 400 : 200, { ...setting, title: messages.deviceTitle, body, formAction: "'self'" })
}

/** What the page shows on which a user answers a device. */
export interface DeviceView {
  readonly action: string
  /** Proves that the form came from this page. */
  readonly formId: string
  readonly app: { readonly name: string; readonly description: string }
  /** The code as the device shows it. */
  readonly code: string
  /** The display name of the signed-in user; null if the host does not provide one. */
  readonly user: string | null
  readonly accountName: string | null
  readonly orgName: string | null
  readonly scopes: readonly ScopeFacts[]
  readonly staysConnected: boolean
  readonly resources: readonly string[]
  readonly askedAt: EpochMs
  /** The address from which the device asked; null if it is not known. */
  readonly ip: string | null
}

/** Renders the page on which a user answers a device: what asks, from where and when, and for what. */
export function devicePage(view: DeviceView, setting: PageSetting): HttpResponse {
  const { accountName, app, orgName, user } = view
  const { messages, tag } = setting.language
  const time = new Intl.DateTimeFormat(tag, { timeStyle: 'short', timeZone: 'UTC' }).format(view.askedAt)
  const at = `<time datetime="${new Date(view.askedAt).toISOString()}">${escapeHtml(time)} UTC</time>`
  const from =
    view.ip === null ? '' : `<p class="soft">${fill(messages.deviceFrom, { address: isolated(view.ip), time: at })}</p>`
  const names = signedInNames([user, accountName, orgName], messages)
  const who = names === '' ? '' : `<p class="soft">${names}</p>`
  const needed = view.scopes.filter(({ optional }) => !optional)
  const asksTo = `<p>${escapeHtml(messages.asksTo)}</p>
<ul>${needed.map(scope => `<li>${scopeInWords(scope, messages)}</li>`).join('')}</ul>`
  const body = `<div class="app"><span class="initial" aria-hidden="true">${escapeHtml([...app.name][0]?.toUpperCase() ?? '')}</span><h1>${fill(messages.deviceHeading, { app: isolated(app.name) })}</h1></div>
${app.description ? `<p class="soft">${isolated(app.description)}</p>` : ''}
${who}
<p>${fill(messages.deviceCompare, { code: `<strong class="code" dir="ltr">${escapeHtml(view.code)}</strong>` })}</p>
<p class="badge warn"><span aria-hidden="true">!</span><span>${escapeHtml(messages.deviceWarning)}</span></p>
${from}
${needed.length > 0 ? asksTo : ''}
${view.resources.map(resource => `<p class="soft">${fill(messages.forUseAt, { resource: isolated(resource) })}</p>`).join('\n')}
${view.staysConnected ? `<p class="soft">${escapeHtml(messages.staysConnected)}</p>` : ''}
<p class="soft">${escapeHtml(messages.takeBack)}</p>
<form method="post" action="${escapeHtml(view.action)}">
<input type="hidden" name="form_id" value="${escapeHtml(view.formId)}">
<input type="hidden" name="user_code" value="${escapeHtml(view.code)}">
${optionalScopes(
  view.scopes.filter(({ optional }) => optional),
  messages,
)}
<div class="actions">
<button name="consent" value="denied">${escapeHtml(messages.deny)}</button>
<button name="consent" value="granted" class="main">${escapeHtml(messages.allow)}</button>
</div>
</form>`
  const title = fillText(messages.consentTitle, { app: app.name })
  return renderPage(200, { ...setting, title, body, formAction: "'self'" })
}

/** Renders what a user sees after their answer. */
export function deviceAnsweredPage(
  { app, granted }: { readonly app: string; readonly granted: boolean },
  setting: PageSetting,
): HttpResponse {
  const { messages } = setting.language
  const message = granted ? messages.deviceAllowed : messages.deviceDenied
  const title = granted ? messages.deviceAllowedTitle : messages.deviceDeniedTitle
  const body = `<h1>${escapeHtml(title)}</h1>
<p role="status">${fill(message, { app: isolated(app) })}</p>
<p class="soft">${escapeHtml(messages.closePage)}</p>`
  return renderPage(200, { ...setting, title, body })
}

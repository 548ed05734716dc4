import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { escapeHtml, renderPage } from './page.ts'
import type { PageSetting } from './page-setting.ts'

/**
 * Leads a browser to another site by a page in place of a redirect. Chromium holds the `form-action` of the page with the host's
 * login form against every redirect that follows the form, so a redirect from there to an app would end nowhere, in silence. It
 * opens a private scheme only after a click, hence the link.
 */
export function onwardPage(uri: string, setting: PageSetting): HttpResponse {
  const { messages } = setting.language
  const body = `<h1>${escapeHtml(messages.oneMoment)}</h1>
<div class="actions"><a class="button main" href="${escapeHtml(uri)}">${escapeHtml(messages.continueButton)}</a></div>`
  return renderPage(200, { ...setting, title: messages.oneMoment, body, refresh: uri })
}

/** Whether a person's browser opens this as a page of its own (Fetch Metadata). Programs, and scripts of pages, get a redirect. */
export function isNavigation({ headers }: HttpRequest): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && (headers['sec-fetch-dest'] ?? 'document') === 'document'
}

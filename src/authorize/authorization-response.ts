import { hash } from 'node:crypto'
import { redirect } from '../http/reply.ts'
import type { HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import { onwardPage } from '../pages/onward-page.ts'
import { escapeHtml, renderPage } from '../pages/page.ts'
import type { PageSetting } from '../pages/page-setting.ts'

/**
 * The way an answer travels to an app: in the query or the fragment of its address (OAuth 2.0 Multiple Response Types §2.1), or
 * posted by the browser (OAuth 2.0 Form Post Response Mode).
 */
export type ResponseMode = 'query' | 'fragment' | 'form_post'
export const RESPONSE_MODES: readonly ResponseMode[] = ['query', 'fragment', 'form_post']

export type AnswerParams = Readonly<Record<string, string | null>>

/** Returns the redirect URI of an app with the answer in its query or fragment. */
export function answerUri(
  { redirectUri, responseMode }: { readonly redirectUri: string; readonly responseMode: ResponseMode },
  params: AnswerParams,
): string {
  return responseMode === 'fragment'
    ? `${redirectUri}${withParams('', params).replace('?', '#')}`
    : withParams(redirectUri, params)
}

/** Sends a browser back to an app with the answer to its authorization request: by a redirect, or by a page that leads on. */
export function authorizationResponse(
  status: 302 | 303,
  target: { readonly redirectUri: string; readonly responseMode: ResponseMode },
  params: AnswerParams,
  setting: PageSetting,
  way: 'redirect' | 'page' = 'redirect',
): HttpResponse {
  if (target.responseMode !== 'form_post') {
    const uri = answerUri(target, params)
    return way === 'page' ? onwardPage(uri, setting) : redirect(status, uri)
  }
  const inputs = Object.entries(params)
    .filter((param): param is [string, string] => param[1] !== null)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`)
  const { messages } = setting.language
  const body = `<h1>${escapeHtml(messages.oneMoment)}</h1>
<form method="post" action="${escapeHtml(target.redirectUri)}">
${inputs.join('\n')}
<div class="actions"><button class="main">${escapeHtml(messages.continueButton)}</button></div>
</form>
<script>${SUBMIT}</script>`
  return renderPage(200, { ...setting, title: messages.oneMoment, body, formAction: null, scriptSource: `'${SUBMIT_HASH}'` })
}

/** Submits the form at once; the button is for browsers without scripts. */
const SUBMIT = 'document.forms[0].submit()'
const SUBMIT_HASH = `sha256-${hash('sha256', SUBMIT, 'base64')}`

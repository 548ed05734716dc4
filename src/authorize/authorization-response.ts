import { hash } from 'node:crypto'
import { redirect } from '../http/reply.ts'
import type { HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import { escapeHtml, formTarget, renderPage } from '../pages/page.ts'
import type { PageSetting } from '../pages/page-setting.ts'

/** The way an answer travels to an app: in the address, or posted by the browser (OAuth 2.0 Form Post Response Mode). */
export type ResponseMode = 'query' | 'form_post'
export const RESPONSE_MODES: readonly ResponseMode[] = ['query', 'form_post']

export type AnswerParams = Readonly<Record<string, string | null>>

/** Sends a browser back to an app with the answer to its authorization request. */
export function authorizationResponse(
  status: 302 | 303,
  { redirectUri, responseMode }: { readonly redirectUri: string; readonly responseMode: ResponseMode },
  params: AnswerParams,
  setting: PageSetting,
): HttpResponse {
  if (responseMode === 'query') return redirect(status, withParams(redirectUri, params))
  const inputs = Object.entries(params)
    .filter((param): param is [string, string] => param[1] !== null)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`)
  const { messages } = setting.language
  const body = `<h1>${escapeHtml(messages.oneMoment)}</h1>
<form method="post" action="${escapeHtml(redirectUri)}">
${inputs.join('\n')}
<div class="actions"><button class="main">${escapeHtml(messages.continueButton)}</button></div>
</form>
<script>${SUBMIT}</script>`
  const formAction = formTarget(redirectUri)
  return renderPage(200, { ...setting, title: messages.oneMoment, body, formAction, scriptSource: `'${SUBMIT_HASH}'` })
}

/** Submits the form at once; the button is for browsers without scripts. */
const SUBMIT = 'document.forms[0].submit()'
const SUBMIT_HASH = `sha256-${hash('sha256', SUBMIT, 'base64')}`

import type { OAuthError } from '../errors/oauth-error.ts'
import type { HttpResponse } from '../http/types.ts'
import type { Messages } from './messages/en.ts'
import { escapeHtml, fill, isolated, renderPage } from './page.ts'
import type { PageSetting } from './page-setting.ts'

/** Renders an error that must not be redirected, for the user and the client's developer. `reference` is in the event as well. */
export function errorPage(error: OAuthError, reference: string, setting: PageSetting): HttpResponse {
  const { messages } = setting.language
  const server = isolated(setting.theme.name)
  const { told } = error
  const person = fill(messages[told?.message ?? messageOf(error)], { server, app: isolated(told?.app ?? '') })
  const facts = [
    [messages.errorCode, `<code>${escapeHtml(error.code)}</code>`],
    // Descriptions are for developers, and always in English.
    [messages.errorDetail, `<span lang="en" dir="ltr">${escapeHtml(error.description)}</span>`],
    [messages.reference, `<code>${escapeHtml(reference)}</code>`],
  ] as const
  const body = `<h1>${escapeHtml(messages.errorTitle)}</h1>
<p>${person}</p>
<p class="soft">${escapeHtml(messages.closePage)}</p>
<details open><summary>${escapeHtml(messages.forDevelopers)}</summary>
<dl>${facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${value}</dd>`).join('')}</dl>
</details>`
  return renderPage(error.status, { ...setting, title: messages.errorTitle, body })
}

function messageOf({ code, expired }: OAuthError): keyof Messages {
  if (expired) return 'expired'
  switch (code) {
    case 'invalid_client':
      return 'unknownApp'
    case 'access_denied':
      return 'notAllowed'
    case 'temporarily_unavailable':
      return 'unavailable'
    case 'server_error':
      return 'serverError'
    default:
      return 'badRequest'
  }
}

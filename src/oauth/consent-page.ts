import type { Scope } from '../config/scopes.ts'
import type { Context } from '../context.ts'
import { sha256 } from '../crypto.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { escapeHtml, formTarget, page, pagePolicy } from '../http/page.ts'
import { one, readParams } from '../http/params.ts'
import { html, json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { App } from '../store.ts'
import { readAuthorizeRequest, trustTarget } from './authorize-request.ts'
import { toLogin } from './login.ts'

/** GET /oauth/consent: the question, as a page, or as JSON for a host that draws its own. */
export async function showConsent(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, principal, store } = context
  const consentId = one(readParams(request.query), 'consent_id')
  if (!principal) return toLogin(context, '/oauth/consent', request.query)

  const entry = await store.oneTime.peek('consent', sha256(consentId))
  if (!entry) throw new OAuthError('invalid_request', 'this consent screen is not open (any more): start again from the app')
  if (entry.data.userId !== principal.userId) {
    throw new OAuthError('access_denied', 'this consent screen was opened by someone else', { status: 403 })
  }
  const query = new URLSearchParams(entry.data.params as Record<string, string>)
  const { app, redirectUri, scopes } = readAuthorizeRequest(query, await trustTarget(query, context), context)
  const asked = scopes.flatMap(name => config.scopes.get(name) ?? [])

  if (request.headers.accept?.includes('application/json')) {
    const client = { client_id: app.id, name: app.name, description: app.description, ...app.profile }
    const named = asked.map(({ name, description, category }) => ({ name, description, category }))
    return json(200, { consent_id: consentId, client, redirect_uri: redirectUri, scopes: named })
  }
  const action = `${config.mountPath}/oauth/authorize`
  return html(
    200,
    consentHtml({ action, app, asked, consentId, redirectUri, user: principal.displayName }),
    pagePolicy(`'self' ${formTarget(redirectUri)}`),
  )
}

interface Question {
  readonly action: string
  readonly app: App
  readonly asked: readonly Scope[]
  readonly consentId: string
  readonly redirectUri: string
  readonly user: string | undefined
}

function consentHtml({ action, app, asked, consentId, redirectUri, user }: Question): string {
  const name = escapeHtml(app.name)
  const scopes = asked.map(scope => `<li>${escapeHtml(scope.description)} <code>${escapeHtml(scope.name)}</code></li>`).join('\n')
  return page(
    `Allow ${app.name}?`,
    `<h1>Allow <bdi>${name}</bdi> to act for you?</h1>
${app.description ? `<p>${escapeHtml(app.description)}</p>` : ''}
${user ? `<p>You are signed in as <strong><bdi>${escapeHtml(user)}</bdi></strong>.</p>` : ''}
<p>It asks to:</p>
<ul>
${scopes}
</ul>
<p>You will be sent to <strong><bdi>${escapeHtml(destination(redirectUri))}</bdi></strong>.</p>
${links(app)}
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="consent_id" value="${escapeHtml(consentId)}">
<button name="consent" value="denied">Deny</button>
<button name="consent" value="granted" class="main">Allow</button>
</form>`,
  )
}

function links(app: App): string {
  const known = [
    ['homepageUrl', 'Homepage'],
    ['privacyPolicyUrl', 'Privacy policy'],
    ['termsOfServiceUrl', 'Terms of service'],
  ] as const
  const anchors = known.flatMap(([key, label]) => {
    const url = app.profile[key]
    if (typeof url !== 'string' || !/^https?:\/\//i.test(url)) return []
    return `<a href="${escapeHtml(url)}" rel="noopener noreferrer" target="_blank">${label}</a>`
  })
  return anchors.length > 0 ? `<p>${anchors.join(' · ')}</p>` : ''
}

function destination(redirectUri: string): string {
  const { host, protocol } = new URL(redirectUri)
  // What follows a private scheme names nobody: whoever registers it can write anything there.
  return /^https?:$/.test(protocol) ? host : protocol
}

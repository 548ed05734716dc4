import type { HttpResponse } from '../http/types.ts'
import type { Messages } from './messages/en.ts'
import { escapeHtml, fill, fillText, isolated, renderPage } from './page.ts'
import type { PageSetting } from './page-setting.ts'
import { optionalScopes, scopeInWords, signedInNames } from './scope-list.ts'

/** The contents of the consent page. */
export interface ConsentView {
  /** The id of the open consent screen, to post as `consent_id`. */
  readonly consentId: string
  /**
   * The path to which the form posts `consent_id`, `consent` as `granted` or `denied`, and `optional_scope` with the name of each
   * optional scope that the user allows.
   */
  readonly action: string
  /** The app that asks. */
  readonly app: {
    /** Its `client_id`. */
    readonly clientId: string
    /** Its name, as plain text: escape it. */
    readonly name: string
    /** Its description, as plain text; may be empty. Escape it. */
    readonly description: string
    /** Its logo, always https; null if it has none. */
    readonly logoUrl: string | null
    /** Its homepage; null if it has none. */
    readonly homepageUrl: string | null
    /** Its privacy policy; null if it has none. */
    readonly privacyPolicyUrl: string | null
    /** Its terms of service; null if it has none. */
    readonly termsOfServiceUrl: string | null
  }
  /** What is known of a client that nobody registered by hand; null for an app that was registered. */
  readonly unregistered: {
    /** The host of its `client_id`, which is proven; null if it has none, and its name is all that it says of itself. */
    readonly host: string | null
    /** Whether the answer goes to a program on the user's own device, which nobody can tell from another. */
    readonly isOnDevice: boolean
  } | null
  /** Whether the host has verified the app; null if it does not verify apps. */
  readonly verified: boolean | null
  /** The display name of the signed-in user; null if the host does not provide one. */
  readonly user: string | null
  /** The name of the account, such as an email address; null if the host does not provide one. */
  readonly accountName: string | null
  /** The name of the user's organisation; null if the host does not provide one. */
  readonly orgName: string | null
  /** The URL that starts the same request with another user. */
  readonly switchUserUrl: string
  /** The scopes that the app asks for, in the order of the request. */
  readonly scopes: readonly AskedScope[]
  /** Whether the app asks for `offline_access`: to stay connected while the user is away (OpenID Connect Core §11). */
  readonly staysConnected: boolean
  /** The resources that the app named (RFC 8707); empty if it named none. */
  readonly resources: readonly string[]
  /** The redirect URI to which the browser goes with the answer. */
  readonly redirectUri: string
  /** The language of the page, as a BCP 47 tag. */
  readonly language: string
}

/** A scope that the user is asked for. */
export interface AskedScope {
  /** Its name. */
  readonly name: string
  /** Its description, in the language of the page. */
  readonly description: string
  /** What else there is to know of it, in the same language; empty if there is nothing. */
  readonly detail: string
  /** Its category; empty if it has none. */
  readonly category: string
  /** Whether an app can change something with it; null if the host does not say. */
  readonly access: 'read' | 'write' | null
  /** Whether the host calls it sensitive: mark it. */
  readonly sensitive: boolean
  /** Whether the user may allow the rest without it. It is granted only if its name is posted as `optional_scope`. */
  readonly optional: boolean
  /** Whether the user has allowed it to the app before: of the optional ones, only these are ticked. */
  readonly granted: boolean
}

/** Renders the consent page, which needs no script. */
export function consentPage(view: ConsentView, setting: PageSetting): HttpResponse {
  const { app } = view
  const { messages } = setting.language
  const needed = view.scopes.filter(({ optional }) => !optional)
  const asked = needed.filter(({ granted }) => !granted)
  const granted = needed.filter(({ granted }) => granted)
  // If every scope was allowed before, show them all as open.
  const [open, folded] = asked.length > 0 ? [asked, granted] : [granted, []]
  const images = app.logoUrl === null ? [] : [app.logoUrl]
  const body = `${header(view, setting)}
${who(view, messages)}
${open.length > 0 ? `<p>${escapeHtml(messages.asksTo)}</p>\n${byCategory(open, messages)}` : ''}
${folded.length > 0 ? `<details><summary>${fill(messages.alreadyAllowed, { count: String(folded.length) })}</summary>${byCategory(folded, messages)}</details>` : ''}
<form method="post" action="${escapeHtml(view.action)}">
<input type="hidden" name="consent_id" value="${escapeHtml(view.consentId)}">
${optionalScopes(
  view.scopes.filter(({ optional }) => optional),
  messages,
)}
${view.resources.map(resource => `<p class="soft">${fill(messages.forUseAt, { resource: isolated(resource) })}</p>`).join('\n')}
${view.staysConnected ? `<p class="soft">${escapeHtml(messages.staysConnected)}</p>` : ''}
<p class="soft">${whereTo(view, messages)} ${escapeHtml(messages.takeBack)}</p>
<div class="actions">
<button name="consent" value="denied">${escapeHtml(messages.deny)}</button>
<button name="consent" value="granted" class="main">${escapeHtml(messages.allow)}</button>
</div>
</form>
${links(app, messages)}`
  const title = fillText(messages.consentTitle, { app: view.unregistered?.host ?? (app.name || app.clientId) })
  return renderPage(200, { ...setting, title, body, images, formAction: null })
}

function whereTo({ redirectUri, unregistered }: ConsentView, messages: Messages): string {
  if (unregistered?.isOnDevice) return escapeHtml(messages.destinationHere)
  return fill(messages.destination, { host: `<strong>${isolated(destination(redirectUri))}</strong>` })
}

/** Names a client that nobody registered by what is proven of it: its host. The name it gives itself is quoted. */
function unregisteredHeader(
  { app, unregistered, verified }: ConsentView & { readonly unregistered: NonNullable<ConsentView['unregistered']> },
  { language: { messages }, theme }: PageSetting,
): string {
  const { host } = unregistered
  const server = isolated(theme.name)
  // RFC 7591 §2: one without a name is shown by its client_id.
  const shown = host ?? (app.name || app.clientId)
  const heading = host === null ? messages.consentHeadingUnnamed : messages.consentHeading
  const name = isolated(app.name)
  const says = host === null || app.name === '' ? messages.uncheckedApp : messages.callsItself
  const badge =
    verified === true
      ? `<p class="badge good"><span aria-hidden="true">✓</span><span>${fill(messages.verified, { server })}</span></p>`
      : `<p class="badge warn"><span aria-hidden="true">!</span><span>${fill(says, { app: name, server })}</span></p>`
  return `<div class="app"><span class="initial" aria-hidden="true">${escapeHtml([...shown][0]?.toUpperCase() ?? '')}</span><h1>${fill(heading, { app: isolated(shown) })}</h1></div>
${badge}`
}

function header(view: ConsentView, setting: PageSetting): string {
  const { app, unregistered, verified } = view
  if (unregistered) return unregisteredHeader({ ...view, unregistered }, setting)
  const { language, theme } = setting
  const { messages } = language
  const picture =
    app.logoUrl === null
      ? `<span class="initial" aria-hidden="true">${escapeHtml([...app.name][0]?.toUpperCase() ?? '')}</span>`
      : `<img src="${escapeHtml(app.logoUrl)}" alt="" referrerpolicy="no-referrer">`
  const server = isolated(theme.name)
  const badge =
    verified === null
      ? ''
      : verified
        ? `<p class="badge good"><span aria-hidden="true">✓</span><span>${fill(messages.verified, { server })}</span></p>`
        : `<p class="badge warn"><span aria-hidden="true">!</span><span>${fill(messages.unverified, { server })}</span></p>`
  return `<div class="app">${picture}<h1>${fill(messages.consentHeading, { app: isolated(app.name) })}</h1></div>
${badge}
${app.description ? `<p class="soft"><bdi>${escapeHtml(app.description)}</bdi></p>` : ''}`
}

function who({ accountName, orgName, switchUserUrl, user }: ConsentView, messages: Messages): string {
  const names = signedInNames([user, accountName, orgName], messages)
  return `<div class="who">${names}<a href="${escapeHtml(switchUserUrl)}">${escapeHtml(messages.notYou)}</a></div>`
}

/** Lists scopes in the order of the request, grouped by category. */
function byCategory(scopes: readonly AskedScope[], messages: Messages): string {
  const categories = [...new Set(scopes.map(({ category }) => category))].toSorted((a, b) => Number(b === '') - Number(a === ''))
  return categories
    .map(category => {
      const items = scopes.filter(scope => scope.category === category).map(scope => `<li>${scopeInWords(scope, messages)}</li>`)
      return `${category === '' ? '' : `<h2>${isolated(category)}</h2>`}<ul>${items.join('')}</ul>`
    })
    .join('\n')
}

function links(app: ConsentView['app'], messages: Messages): string {
  const known = [
    [app.homepageUrl, messages.homepage],
    [app.privacyPolicyUrl, messages.privacyPolicy],
    [app.termsOfServiceUrl, messages.termsOfService],
  ] as const
  const anchors = known.flatMap(([url, label]) =>
    url === null ? [] : `<a href="${escapeHtml(url)}" rel="noopener noreferrer" target="_blank">${escapeHtml(label)}</a>`,
  )
  return anchors.length > 0 ? `<nav class="links">${anchors.join('')}</nav>` : ''
}

/** Names where a redirect URI leads, for a person. */
export function destination(redirectUri: string): string {
  const { host, protocol } = new URL(redirectUri)
  // Show only the scheme of a private-scheme URI: the rest names no owner, and an app can write anything there.
  return /^https?:$/.test(protocol) ? host : protocol
}

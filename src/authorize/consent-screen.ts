import { sha256 } from '../base/crypto.ts'
import { asIs, callHook, isTrue } from '../base/hooks.ts'
import { wireId } from '../base/ids.ts'
import { consentsCountSince } from '../clients/admission.ts'
import { OFFLINE_ACCESS } from '../clients/allowed-scopes.ts'
import { isSelfRegistered } from '../clients/find-client.ts'
import { hostOf } from '../clients/self-registered.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, readParams } from '../http/params.ts'
import { html, json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { Context } from '../options/context.ts'
import type { Principal } from '../options/principal.ts'
import { type ConsentView, consentPage } from '../pages/consent-page.ts'
import { type PageSetting, pageSettingFor } from '../pages/page-setting.ts'
import { scopeFacts } from '../pages/scope-words.ts'
import type { App } from '../store/store.ts'
import { isAllowed } from './agreed-scopes.ts'
import { toLogin } from './login.ts'
import { SWITCH_USER } from './pushed-request.ts'
import { isClaimedUri } from './redirect-uri.ts'
import { type AuthorizationRequest, readOpenRequest, requestJson } from './request.ts'
import { asPassed } from './steps.ts'

/** GET /oauth/consent: asks the user for consent, as a page, or as JSON for a host that renders its own. */
export async function showConsent(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, principal, services, store } = context
  const consentId = one(readParams(request.query), 'consent_id')
  if (!principal) return toLogin(context, '/oauth/consent', request.query)

  const entry = await store.oneTime.peek('consent', sha256(consentId))
  if (!entry)
    throw new OAuthError('invalid_request', 'this consent screen is not open (any more): start again from the app', {
      expired: true,
    })
  if (entry.data.userId !== principal.userId) {
    throw new OAuthError('access_denied', 'this consent screen was opened by someone else', { status: 403 })
  }
  const asked = await readOpenRequest(entry, context)
  const setting = pageSettingFor(request, services, asked.params.get('ui_locales') ?? null)
  const view = await viewOf(
    asked,
    {
      consentId,
      principal: entry.data.steps ? asPassed(principal, entry.data.steps) : principal,
      requestUri: request.query.get('request_uri'),
      setting,
      ticked: entry.data.ticked ?? [],
    },
    context,
  )

  if (request.headers.accept?.includes('application/json')) return json(200, jsonOf(view, asked.app))
  return config.renderConsent ? custom(view, context) : consentPage(view, setting)
}

interface Asking {
  readonly consentId: string
  /** Of the pushed request that the screen was opened for; null for another. */
  readonly requestUri: string | null
  readonly setting: PageSetting
  readonly principal: Principal
  /** The optional scopes that were allowed when the screen was opened. */
  readonly ticked: readonly string[]
}

async function viewOf(
  asked: AuthorizationRequest,
  { consentId, principal, requestUri, setting, ticked }: Asking,
  context: Context,
): Promise<ConsentView> {
  const { config, now, store } = context
  const { app } = asked
  const { accountName, displayName, orgId, orgName, userId } = principal
  const [consent, since, verified] = await Promise.all([
    store.consents.get({ userId }, app.id),
    consentsCountSince(app, orgId, context),
    isVerified(wireId(app), context),
  ])
  const earlier = consent && consent.grantedAt >= since ? consent : undefined
  const { language } = setting
  const link = (name: string) => {
    const url = app.profile[name]
    return typeof url === 'string' && /^https?:\/\//i.test(url) && URL.canParse(url) ? url : null
  }
  const logoUrl = link('logoUrl')
  return {
    consentId,
    action: `${config.mountPath}/oauth/authorize`,
    app: {
      clientId: wireId(app),
      name: app.name,
      description: app.description,
      // A logo over plain http would show everyone on the network which app the user is looking at.
      logoUrl: logoUrl?.startsWith('https:') ? logoUrl : null,
      homepageUrl: link('homepageUrl'),
      privacyPolicyUrl: link('privacyPolicyUrl'),
      termsOfServiceUrl: link('termsOfServiceUrl'),
    },
    unregistered: isSelfRegistered(app) ? { host: hostOf(app), isOnDevice: !isClaimedUri(asked.redirectUri) } : null,
    verified,
    user: displayName ?? null,
    accountName: accountName ?? null,
    orgName: orgName ?? null,
    switchUserUrl: withParams(`${config.mountPath}/oauth/authorize`, switchingUser(asked, requestUri)),
    scopes: scopeFacts(asked.scopes, config.scopes, language).map(scope => {
      // What the screen says stays as it was opened, but for what has been taken back since.
      const allowed = earlier !== undefined && isAllowed(scope.name, earlier, config, now)
      return { ...scope, granted: allowed && (!scope.optional || ticked.includes(scope.name)) }
    }),
    staysConnected: asked.scopes.includes(OFFLINE_ACCESS),
    resources: asked.audience ?? [],
    redirectUri: asked.redirectUri,
    language: language.tag,
  }
}

/** The parameters of the same request by another user. A pushed one has no others but those that lead to it. */
function switchingUser(asked: AuthorizationRequest, requestUri: string | null): Readonly<Record<string, string>> {
  if (requestUri === null) return { ...requestJson(asked), prompt: 'select_account' }
  return { client_id: wireId(asked.app), request_uri: requestUri, [SWITCH_USER]: '1' }
}

async function isVerified(clientId: string, { config }: Context): Promise<boolean | null> {
  const ask = config.isVerified
  if (!ask) return null
  return callHook('isVerified', () => ask(clientId), isTrue, config)
}

/** Renders the host's own page. Our policy is added to the host's, so that the page can never be framed. */
async function custom(view: ConsentView, { config }: Context): Promise<HttpResponse> {
  const page = await callHook('renderConsent', () => config.renderConsent?.(view), asIs, config)
  const { contentSecurityPolicy = OWN_POLICY, html: text } = typeof page === 'object' ? page : { html: page }
  if (typeof text !== 'string') throw new TypeError('renderConsent must return a page, or { html }')
  return html(200, text, framed(contentSecurityPolicy))
}

/** Directives of ours: of two with one name, browsers follow the first, so the host's are taken out. */
const OUR_DIRECTIVES: readonly string[] = ['form-action', 'frame-ancestors', 'base-uri']

/**
 * Returns the host's policy with `frame-ancestors` and `base-uri` of ours, and without `form-action`, which Chromium holds
 * against the redirect to the app. A header may have several policies, separated by commas.
 */
function framed(policies: string): string {
  const kept = policies.split(',').flatMap(policy => {
    const directives = policy
      .split(';')
      .map(directive => directive.trim())
      .filter(directive => directive !== '' && !OUR_DIRECTIVES.includes(directive.split(/\s/)[0]?.toLowerCase() ?? ''))
    return directives.length > 0 ? [directives.join('; ')] : []
  })
  const ours = "frame-ancestors 'none'; base-uri 'none'"
  return kept.length > 0 ? kept.map(policy => `${policy}; ${ours}`).join(', ') : ours
}

const OWN_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https:"

function jsonOf(view: ConsentView, app: App): object {
  const { accountName, consentId, orgName, redirectUri, resources, scopes, staysConnected, unregistered, user, verified } = view
  const client = { client_id: wireId(app), name: app.name, description: app.description, ...app.profile }
  const unchecked = unregistered && { host: unregistered.host, on_device: unregistered.isOnDevice }
  return {
    consent_id: consentId,
    client,
    unregistered: unchecked,
    redirect_uri: redirectUri,
    user: { name: user, account_name: accountName, org_name: orgName },
    scopes,
    offline_access: staysConnected,
    resources,
    verified,
  }
}

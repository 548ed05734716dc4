import { z } from 'zod'
import { viewApp } from '../apps/app-view.ts'
import { toLogin } from '../authorize/login.ts'
import { isAppId } from '../base/ids.ts'
import { OFFLINE_ACCESS } from '../clients/allowed-scopes.ts'
import { hostOf, shownName } from '../clients/self-registered.ts'
import { ApiError } from '../errors/api-error.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, requireForm } from '../http/params.ts'
import { json, redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import { connectedAppsPage } from '../pages/connected-apps-page.ts'
import { en } from '../pages/messages/en.ts'
import { pageSettingFor } from '../pages/page-setting.ts'
import { describeScope } from '../pages/scope-words.ts'
import type { App, Consent, GrantedToken } from '../store/store.ts'
import { appOfEnded, deviceSchema, devicesOf } from './devices.ts'
import { isOwnForm, makeForm } from './form.ts'
import { consentsOf, withdraw } from './withdraw.ts'

const instant = z.iso.datetime({ precision: 3 })

/** An app that the user has allowed. */
export const connectedAppSchema = z.object({
  appId: z.string().describe('names the app in the paths of this API'),
  clientId: z.string(),
  name: z.string(),
  host: z
    .string()
    .optional()
    .describe('of a client that nobody registered by hand: its host, which is proven, as its name is not'),
  description: z.string().optional(),
  logoUrl: z.string().optional(),
  homepageUrl: z.string().optional(),
  scopes: z.array(z.object({ name: z.string(), description: z.string() })),
  grantedAt: instant,
  activeTokens: z.int().describe('live tokens that speak for the user'),
  devices: z.array(deviceSchema).describe('where the app is signed in now, most recently used first'),
})

type ConnectedApp = z.output<typeof connectedAppSchema>

/** At most this many live tokens of one user are counted. */
const MAX_TOKENS = 1000

/** GET /oauth/connected-apps: lists the apps the signed-in user has allowed, newest consent first; as JSON, or as a page for a browser. */
export async function listConnectedApps(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { principal } = context
  const asPage = request.headers.accept?.includes('text/html') ?? false
  if (!principal) {
    if (asPage) return toLogin(context, PATH, request.query)
    throw new ApiError('UNAUTHORIZED', 'sign in first')
  }
  const apps = await connectedApps({ ...context, principal })
  return asPage
    ? showPage(apps, request, { ...context, principal })
    : json(
        200,
        apps.map(({ view }) => view),
      )
}

const PATH = '/oauth/connected-apps'

/** An app, and how a page names it. */
interface Listed {
  readonly view: ConnectedApp
  readonly shown: string
}

async function connectedApps(context: SignedInContext): Promise<readonly Listed[]> {
  const { principal, store } = context
  const [consents, tokens] = await Promise.all([
    consentsOf({ userId: principal.userId }, context),
    store.grants.listTokens({ userId: principal.userId, limit: MAX_TOKENS }),
  ])
  const apps = await Promise.all(consents.map(({ appId }) => store.apps.get(appId)))
  const connected = consents.flatMap((consent, index) => {
    const app = apps[index]
    if (!app || app.status === 'deleted') return []
    const own = tokens.items.filter(({ grant }) => grant.appId === app.id && grant.epoch === app.epoch)
    return [{ view: viewConnected(app, consent, own, context), shown: shownName(app) }]
  })
  return connected.toSorted((a, b) => b.view.grantedAt.localeCompare(a.view.grantedAt))
}

async function showPage(apps: readonly Listed[], request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const { config, services, store } = context
  const formId = apps.length > 0 ? await makeForm(context) : ''
  const removedId = request.query.get('removed') ?? ''
  // The parameter is in the URL, so a link could claim that an app was removed: say so only if it is not in the list.
  const gone = isAppId(removedId) && !apps.some(({ view }) => view.appId === removedId)
  const removedApp = gone ? await store.apps.get(removedId) : undefined
  const removed = removedApp ? shownName(removedApp) : null
  // The same of a device: only what has been ended a moment ago, by this user.
  const endedApp = await appOfEnded(request.query.get('ended') ?? '', context)
  const ended = apps.find(({ view }) => view.appId === endedApp)?.shown ?? null
  const setting = pageSettingFor(request, services)
  const inWords = apps.map(({ shown, view }) => ({
    ...view,
    name: shown,
    scopes: view.scopes.map(({ description, name }) => {
      const scope = config.scopes.get(name)
      if (name === OFFLINE_ACCESS) return { description: setting.language.messages.staysConnected }
      return { description: scope ? describeScope(scope, setting.language) : description }
    }),
  }))
  return connectedAppsPage({ apps: inWords, formId, removed, ended, action: `${config.mountPath}${PATH}` }, setting)
}

/** DELETE /oauth/connected-apps/{appId}: withdraws the consent and ends every token of it. */
export async function disconnectApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  await disconnect(request.params.appId ?? '', context)
  return json(200, { message: 'The app can no longer act for you' })
}

/** POST /oauth/connected-apps/{appId}: the same for the page, because HTML forms cannot send DELETE. */
export async function removeApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const { config } = context
  if (!(await isOwnForm(one(requireForm(request), 'form_id'), context)))
    throw new OAuthError('access_denied', 'this page was not shown to you: open it again', { status: 403, expired: true })
  const appId = request.params.appId ?? ''
  // A form that is sent twice finds nothing the second time: the outcome is the same.
  await disconnect(appId, context).catch(error => {
    if (!(error instanceof ApiError && error.code === 'NOT_FOUND')) throw error
  })
  return redirect(303, withParams(`${config.mountPath}${PATH}`, { removed: appId }))
}

async function disconnect(appId: string, context: SignedInContext): Promise<void> {
  if (!isAppId(appId)) throw new ApiError('VALIDATION_ERROR', 'an app’s id is 24 hexadecimal digits')
  const { config, events, principal } = context
  const { userId, orgId } = principal
  const { agreed, revoked } = await withdraw(userId, appId, context, ({ clientId, revoked }) =>
    events.emit({ type: 'consent_withdrawn', at: config.now(), clientId, orgId, userId, revoked }),
  )
  if (!agreed && revoked === 0) throw new ApiError('NOT_FOUND', 'you have not allowed this app')
}

function viewConnected(app: App, consent: Consent, tokens: readonly GrantedToken[], { config }: SignedInContext): ConnectedApp {
  const { clientId, description, homepageUrl, logoUrl, name } = viewApp(app)
  return {
    appId: app.id,
    clientId,
    name,
    host: hostOf(app) ?? undefined,
    description,
    logoUrl,
    homepageUrl,
    scopes: consent.scopes.map(name => ({ name, description: describe(name, config) })),
    grantedAt: new Date(consent.grantedAt).toISOString(),
    activeTokens: tokens.length,
    devices: [...devicesOf(tokens)],
  }
}

/** Describes a scope in English, like the catalogue. Falls back to the name if the catalogue no longer has the scope. */
function describe(name: string, { scopes }: Pick<Context['config'], 'scopes'>): string {
  return name === OFFLINE_ACCESS ? en.staysConnected : (scopes.get(name)?.description ?? name)
}

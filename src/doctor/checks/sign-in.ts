import { bearerChallenge } from '../challenge.ts'
import { EVERY_CLIENT, type Report } from '../finding.ts'
import { isRedirect, locationOf, type Probe, type SetCookie, shown, textOf } from '../probe.ts'
import { AS_BROWSER } from './authorize.ts'
import type { ServerMetadata } from './server-metadata.ts'

interface Asking {
  readonly probe: Probe
  readonly report: Report
}

/** Examines what OpenID Connect adds, if the server has it: the keys, and userinfo. */
export async function checkKeys({ document }: ServerMetadata, { probe, report }: Asking): Promise<void> {
  const keysUrl = textOf(document, 'jwks_uri')
  if (keysUrl !== undefined) {
    const answer = await probe.send(keysUrl)
    const keys = answer.json?.keys
    if (answer.status !== 200 || !Array.isArray(keys) || keys.length === 0) {
      report.finding({
        code: 'keys_missing',
        url: keysUrl,
        problem: `there are no public keys: ${shown(answer)}`,
        stops: ['clients that sign users in', 'services that check JWTs'],
        cure: 'let the proxy pass on /.well-known/jwks.json, and see the log of your server: the store must answer, and sealingKeys open what it keeps',
      })
    }
  }
  const userinfo = textOf(document, 'userinfo_endpoint')
  if (userinfo === undefined) return
  const answer = await probe.send(userinfo)
  if (answer.status === 401 && bearerChallenge(answer.headers.get('www-authenticate'))) return
  report.finding({
    code: 'userinfo_not_guarded',
    url: userinfo,
    problem: `without a token, userinfo answers ${shown(answer)}, and must answer 401 with a Bearer challenge`,
    stops: ['clients that sign users in'],
    cure: 'mount authmount before the middleware or catch-all that answers this path',
  })
}

/** Goes where authmount sends somebody who is not signed in: to the host's login page. */
export async function checkLogin({ document }: ServerMetadata, { probe, report }: Asking): Promise<void> {
  const authorize = textOf(document, 'authorization_endpoint') ?? ''
  if (!authorize.endsWith('/oauth/authorize')) return
  const answer = await probe.send(authorize.replace(/authorize$/, 'connected-apps'), { headers: AS_BROWSER })
  if (!isRedirect(answer)) return
  const login = locationOf(answer)
  const page = await probe.send(login, { headers: AS_BROWSER })
  if (/form-action/.test(page.headers.get('content-security-policy') ?? ''))
    report.note(
      'the policy of the login page has form-action, which Chromium applies to what follows the login form: redirect to returnTo exactly as it was given',
    )
  if (page.status !== 0 && page.status !== 404 && page.status < 500) return
  report.finding({
    code: 'login_missing',
    url: login,
    problem: `users who are not signed in are sent to ${new URL(login).pathname}, which answers ${shown(page)}`,
    stops: EVERY_CLIENT,
    cure: 'set loginUrl to your login page. It gets returnTo and sends the browser there afterwards',
  })
}

const SESSION = /sess|sid\b|auth|login|connect\./i

/** Examines the cookies that were set on the way. */
export async function checkCookies(cookies: readonly SetCookie[], report: Report): Promise<void> {
  for (const { attributes, name, url } of cookies) {
    const tls = url.startsWith('https:')
    const crossSite = attributes.get('samesite') === 'none'
    if (!attributes.has('secure') && (tls || crossSite)) {
      report.finding({
        code: 'cookie_insecure',
        url,
        problem: crossSite
          ? `the cookie ${name} is SameSite=None without Secure, which browsers drop`
          : `the cookie ${name} is set over https without Secure: your app takes the connection for http`,
        stops: crossSite
          ? ['every user: the login does not stay']
          : ['nobody, until a browser or a network in between sends it in the clear'],
        cure: "tell your app of the proxy that ends TLS (Express: app.set('trust proxy', 1); Fastify: trustProxy: true; the proxy sends X-Forwarded-Proto), and set secure: true for the cookie",
      })
    }
    if (attributes.get('samesite') === 'strict' && SESSION.test(name) && !/csrf|xsrf/i.test(name)) {
      report.finding({
        code: 'cookie_strict',
        url,
        problem: `the cookie ${name} is SameSite=Strict: it is not sent when a user comes from an app, so they go round between login and consent`,
        stops: ['every client whose user comes from another site'],
        cure: "set sameSite: 'lax' for the cookie of the session",
      })
    }
  }
}

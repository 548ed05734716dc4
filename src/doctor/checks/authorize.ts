import { EVERY_CLIENT, type Fault, type Report } from '../finding.ts'
import { isRedirect, locationOf, type Probe, shown, textOf, unique } from '../probe.ts'
import type { ServerMetadata } from './server-metadata.ts'

const REDIRECT_URI = 'http://127.0.0.1:53117/callback'
/** RFC 7636, appendix B. */
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

/** Makes an authorization request as a client sends it. */
export function authorizationUrl(endpoint: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(endpoint)
  const sent = { response_type: 'code', code_challenge: CHALLENGE, code_challenge_method: 'S256', state: unique(), ...parameters }
  for (const [name, value] of Object.entries(sent)) url.searchParams.set(name, value)
  return url.href
}

export const AS_BROWSER: Readonly<Record<string, string>> = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'user-agent': 'Mozilla/5.0 (authmount-doctor)',
  'accept-language': 'en',
}

/** Sends the browser of a client that nobody knows: it must see a page, and be sent nowhere (RFC 6749 §4.1.2.1). */
export async function checkAuthorize(
  { document, url }: ServerMetadata,
  { probe, report }: { readonly probe: Probe; readonly report: Report },
): Promise<void> {
  const endpoint = textOf(document, 'authorization_endpoint')
  if (endpoint === undefined || !URL.canParse(endpoint)) {
    const cure = 'serve the document as authmount makes it'
    report.finding({ code: 'authorize_unnamed', url, problem: 'there is no authorization_endpoint', stops: EVERY_CLIENT, cure })
    return
  }
  const fault: Fault = (code, problem, cure) => report.finding({ code, url: endpoint, problem, stops: EVERY_CLIENT, cure })
  const asked = { client_id: `doctor-${unique()}`, redirect_uri: REDIRECT_URI }
  const answer = await probe.send(authorizationUrl(endpoint, asked), { headers: AS_BROWSER })
  if (isRedirect(answer)) {
    const target = locationOf(answer)
    if (target.startsWith(REDIRECT_URI)) {
      const cure = 'let authmount answer this path: an address that is not registered must never be redirected to'
      fault('authorize_open_redirect', 'it redirects to the address of a client that nobody knows', cure)
      return
    }
    const moved = new URL(target).pathname.replace(/\/$/, '') === new URL(endpoint).pathname.replace(/\/$/, '')
    fault(
      'authorize_redirects',
      `a client that nobody knows is sent on, ${shown(answer)}, and must see a page that says so`,
      moved
        ? 'advertise the address that it leads to: issuer and mountPath must be those at which the server answers without a redirect'
        : 'mount authmount before the middleware that sends visitors without a session to the login: authorize does that by itself, with the returnTo that brings them back',
    )
    return
  }
  if (answer.status === 404 || answer.status === 405) {
    const cure =
      'mount authmount before every catch-all and 404 handler, and set mountPath (or proxyPath, if a proxy removes the prefix) to the path at which its routes answer'
    fault('authorize_missing', `the authorization endpoint is not there: ${shown(answer)}`, cure)
    return
  }
  if (answer.status === 0 || answer.status >= 500 || answer.status < 400) {
    const cure =
      'see the log of your server: the store does not answer, or something before authmount answers this path. Where the app is a single-page app, mount authmount before it'
    fault('authorize_failed', `a client that nobody knows gets ${shown(answer)}, and must see an error page`, cure)
    return
  }
  checkPolicy(answer.headers.get('content-security-policy'), fault)
}

/** The policy of authmount's own pages stands alone: a second one can only forbid what the pages do. */
function checkPolicy(header: string | null, fault: Fault): void {
  const policies = (header ?? '').split(',').filter(policy => policy.trim() !== '')
  const isOurs = (policy: string) => policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'")
  if (policies.length === 1 && policies.every(isOurs)) return
  const foreign = policies.filter(policy => !isOurs(policy)).join(', ')
  const forms = /form-action[^;]*/.exec(foreign)?.[0]
  fault(
    'page_policy',
    foreign === ''
      ? 'the page has lost its Content-Security-Policy: it can be framed'
      : `a policy of something else stands on authmount's pages (${forms ?? foreign.trim()})${forms === undefined ? '' : ': in Chromium, Allow on the consent page then does nothing, because form-action holds against the redirect to the app'}`,
    'leave the Content-Security-Policy of /oauth/ alone: take its header out of the proxy for these paths, and mount authmount where helmet or a hook (onSend, writeHead) does not change its answers',
  )
}

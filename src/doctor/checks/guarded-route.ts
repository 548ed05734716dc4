import { bearerChallenge } from '../challenge.ts'
import { AGENTS, EVERY_CLIENT, type Found, type Report } from '../finding.ts'
import { type Answer, isRedirect, locationOf, type Probe, type Sent, shown } from '../probe.ts'

/** What the guarded route says to a client without a token. */
export interface GuardedRoute {
  /** The method by which the route was reached. */
  readonly request: Sent
  readonly answer: Answer
  /** The URL of the resource metadata; null if the route names none, or none that can be used. */
  readonly metadataUrl: string | null
  readonly realm: string | null
  /** The metadata that the route names are of another address than the route's own, so the rest cannot be examined. */
  readonly elsewhere: boolean
}

/** As every MCP client begins; to a route that is not one it says nothing. */
const INITIALIZE: Sent = {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'authmount-doctor', version: '1' } },
  }),
}

/** Examines the 401 of the guarded route (RFC 6750 §3, RFC 9728 §5.1). */
export async function checkGuardedRoute(url: string, probe: Probe, report: Report): Promise<GuardedRoute> {
  const { answer, request } = await reach(url, probe)
  const nothing = { request, answer, metadataUrl: null, realm: null, elsewhere: false }
  if (answer.status !== 401) {
    report.finding({ url, ...notGuarded(answer) })
    return nothing
  }
  const header = answer.headers.get('www-authenticate')
  const challenge = bearerChallenge(header)
  if (!challenge) {
    const renamed = [...answer.headers.keys()].find(name => name !== 'www-authenticate' && name.endsWith('www-authenticate'))
    const instead = header === null ? 'none' : JSON.stringify(header)
    report.finding({
      code: 'challenge_missing',
      url,
      problem:
        renamed === undefined
          ? `the 401 has no Bearer challenge: its WWW-Authenticate is ${instead}`
          : `the 401 has no WWW-Authenticate: something in front has renamed it to ${renamed}`,
      stops: AGENTS,
      cure:
        renamed === undefined
          ? 'guard the route with requireToken, before any login check of yours that answers 401 by itself, and let the proxy pass on WWW-Authenticate'
          : 'map the header back to WWW-Authenticate in the gateway, or let clients reach the host without it',
    })
    return nothing
  }
  const named = challenge.get('resource_metadata')
  const metadataUrl = named !== undefined && URL.canParse(named) ? named : null
  if (metadataUrl === null) {
    report.finding({
      code: 'challenge_without_metadata',
      url,
      problem:
        'the challenge of the 401 has no resource_metadata, which leads clients to the authorization server (RFC 9728 §5.1)',
      stops: AGENTS,
      cure: 'guard the route with requireToken of authmount/express or authmount/fastify, which adds it; of another guard, add resource_metadata="…" to its WWW-Authenticate',
    })
  }
  const elsewhere = metadataUrl !== null && new URL(metadataUrl).origin !== new URL(url).origin
  if (elsewhere) report.finding(metadataElsewhere(url, metadataUrl))
  if (!challenge.has('scope'))
    report.note('the 401 names no scope, so clients ask for every scope of the resource metadata: requireToken({ scopes: […] })')
  await checkAuthorizationHeader(url, { probe, report, request })
  return { request, answer, metadataUrl, realm: challenge.get('realm') ?? null, elsewhere }
}

/** Asks as a browser or a script does, then as an MCP client: a route may know one method alone. */
async function reach(url: string, probe: Probe): Promise<{ readonly answer: Answer; readonly request: Sent }> {
  const request: Sent = { headers: { accept: 'application/json, text/event-stream' } }
  const answer = await probe.send(url, request)
  if (answer.status === 0 || answer.status === 401 || isRedirect(answer)) return { answer, request }
  const posted = await probe.send(url, INITIALIZE)
  return posted.status === 401 ? { answer: posted, request: INITIALIZE } : { answer, request }
}

function notGuarded(answer: Answer): Omit<Found, 'url'> {
  const problem = `without a token it answers ${shown(answer)}, and must answer 401 with a Bearer challenge`
  if (isRedirect(answer)) {
    const target = locationOf(answer)
    const isSame = new URL(answer.url).pathname.replace(/\/$/, '') === new URL(target).pathname.replace(/\/$/, '')
    return {
      code: 'route_redirects',
      problem,
      stops: EVERY_CLIENT,
      cure: isSame
        ? `give clients ${target}, name it in resources of the options and use its origin in issuer: a redirect loses the body of a POST and, to another host, the token`
        : 'let requireToken answer this route: a check of the session before it sends clients to a login page',
    }
  }
  if (answer.status === 404 || answer.status === 405) {
    return {
      code: 'route_not_found',
      problem,
      stops: EVERY_CLIENT,
      cure: 'define the route and its requireToken before the 404 handler or the catch-all of your app, and see that the proxy passes on its path unchanged',
    }
  }
  if (answer.status >= 200 && answer.status < 300) {
    return {
      code: 'route_open',
      problem,
      stops: AGENTS,
      cure: 'guard it: app.get(path, requireToken(authmount, { scopes }), handler); a middleware of a guard must stand before the handler',
    }
  }
  if (answer.status >= 500 || answer.status === 0)
    return {
      code: 'route_failed',
      problem,
      stops: EVERY_CLIENT,
      cure: 'see the log of your server: something before requireToken fails',
    }
  return {
    code: 'route_not_401',
    problem,
    stops: EVERY_CLIENT,
    cure: 'let requireToken be the first that answers on this route: something before it (a CSRF check, an API key, a firewall) refuses the request, and no client asks for a token after another status than 401',
  }
}

function metadataElsewhere(url: string, metadataUrl: string): Found {
  const { origin } = new URL(url)
  return {
    code: 'wrong_issuer',
    url,
    problem: `the route is reached at ${origin}, and its 401 leads to ${metadataUrl}: authmount takes this address from issuer or resources`,
    stops: EVERY_CLIENT,
    cure: `set issuer (or the entry of resources that requireToken names) to the address at which clients reach the server, ${origin}; behind a proxy that ends TLS it begins with https. Or examine the address that issuer says`,
  }
}

/** RFC 6750 §3.1: with a token that is not valid, the challenge has an error code. Without one, no token has arrived. */
async function checkAuthorizationHeader(
  url: string,
  { probe, report, request }: { readonly probe: Probe; readonly report: Report; readonly request: Sent },
): Promise<void> {
  const headers = { ...request.headers, authorization: 'Bearer not-a-token-of-this-server' }
  const answer = await probe.send(url, { ...request, headers })
  if (answer.status === 401 && bearerChallenge(answer.headers.get('www-authenticate'))?.has('error')) return
  if (answer.status === 401) {
    report.finding({
      code: 'authorization_lost',
      url,
      problem: 'a request with an access token is answered as one without: the Authorization header does not arrive',
      stops: EVERY_CLIENT,
      cure: 'pass on Authorization unchanged: look at the proxy (proxy_set_header Authorization, a password of its own), at serverless adapters, and at middleware that deletes it',
    })
    return
  }
  report.finding({
    code: 'token_check_failed',
    url,
    problem: `a request with an invalid token is answered ${shown(answer)}, and must be answered 401 with error="invalid_token"`,
    stops: EVERY_CLIENT,
    cure:
      answer.status >= 500
        ? 'see the log of your server: the store does not answer, or an error handler takes over before requireToken'
        : 'let requireToken be the first that reads the Authorization header of this route',
  })
}

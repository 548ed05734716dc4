import { type Fault, PAGES, type Report } from '../finding.ts'
import { type Answer, type Probe, type Sent, shown, textOf } from '../probe.ts'
import type { GuardedRoute } from './guarded-route.ts'
import type { ServerMetadata } from './server-metadata.ts'

/** The MCP Inspector's: a page that belongs to no app of the server. */
const ORIGIN = 'http://localhost:6274'

interface Asking {
  readonly probe: Probe
  readonly report: Report
}

/** Examines whether web pages can read the metadata and use the endpoints of clients. */
export async function checkServerCors({ document, url }: ServerMetadata, { probe, report }: Asking): Promise<void> {
  const read = await probe.send(url, { headers: { origin: ORIGIN } })
  const asked = await preflight(url, 'GET', ['mcp-protocol-version'], probe)
  if (!admits(read) || !passes(asked, ['mcp-protocol-version'])) {
    report.finding({
      code: 'metadata_cors',
      url,
      problem: admits(read)
        ? `the preflight for the header mcp-protocol-version is answered ${answered(asked)}`
        : `a page of another origin may not read it: Access-Control-Allow-Origin is ${allowedOrigin(read) ?? 'missing'}`,
      stops: PAGES,
      cure: BEFORE_CORS,
    })
  }
  for (const name of ['token_endpoint', 'registration_endpoint']) {
    const endpoint = textOf(document, name)
    if (endpoint === undefined) continue
    const answer = await preflight(endpoint, 'POST', ['authorization', 'content-type'], probe)
    if (passes(answer, ['authorization', 'content-type'])) continue
    report.finding({
      code: name === 'token_endpoint' ? 'token_cors' : 'registration_cors',
      url: endpoint,
      problem: `the preflight of a page at ${ORIGIN} is answered ${answered(answer)}`,
      stops: PAGES,
      cure: BEFORE_CORS,
    })
  }
}

const BEFORE_CORS =
  'put app.use(authmountRouter(authmount)) before app.use(cors(…)), which answers with a list of its own; take Access-Control-* headers and OPTIONS of these paths out of the proxy'

/**
 * Examines the guarded route, whose CORS is the host's. A host that lets no page in means it; one that lets a page ask, but not
 * read the 401 or send the token, does not.
 */
export async function checkRouteCors(url: string, { request }: GuardedRoute, { probe, report }: Asking): Promise<void> {
  const headers = ['authorization', 'content-type', 'mcp-protocol-version']
  const [read, asked] = await Promise.all([
    probe.send(url, { ...request, headers: { ...request.headers, origin: ORIGIN } }),
    preflight(url, request.method ?? 'GET', headers, probe),
  ])
  if (!admits(read) && !admits(asked)) {
    report.note('the route has no CORS for pages of other origins: clients in a web page cannot use it')
    return
  }
  const fault: Fault = (code, problem, cure) => report.finding({ code, url, problem, stops: PAGES, cure })
  if (asked.status === 401) {
    const cure = 'put cors(…) before requireToken: a preflight has no token'
    fault('route_preflight_guarded', 'the preflight is answered 401', cure)
    return
  }
  if (!passes(asked, headers)) {
    const cure = `let cors() of this route allow the headers ${headers.join(', ')} (allowedHeaders)`
    fault('route_preflight', `the preflight for ${headers.join(', ')} is answered ${answered(asked)}`, cure)
  }
  if (!admits(read)) {
    const cure = 'put cors(…) before requireToken, so that the 401 has its headers too'
    fault('route_401_cors', 'the 401 has no Access-Control-Allow-Origin, so a page cannot tell it from a broken network', cure)
  } else if (!lists(read, 'access-control-expose-headers', 'www-authenticate')) {
    const cure = "expose it: cors({ exposedHeaders: ['WWW-Authenticate'] })"
    fault('route_challenge_hidden', 'a page cannot read WWW-Authenticate of the 401, which leads it to the server', cure)
  }
}

function preflight(url: string, method: string, headers: readonly string[], probe: Probe): Promise<Answer> {
  const sent: Sent = {
    method: 'OPTIONS',
    headers: {
      origin: ORIGIN,
      'access-control-request-method': method,
      'access-control-request-headers': headers.join(','),
    },
  }
  return probe.send(url, sent)
}

function passes(answer: Answer, headers: readonly string[]): boolean {
  const ok = answer.status >= 200 && answer.status < 300
  return ok && admits(answer) && headers.every(name => lists(answer, 'access-control-allow-headers', name))
}

function allowedOrigin({ headers }: Answer): string | null {
  return headers.get('access-control-allow-origin')
}

function admits(answer: Answer): boolean {
  return ['*', ORIGIN].includes(allowedOrigin(answer) ?? '')
}

/** A `*` covers every header but Authorization (Fetch §3.3.5). */
function lists({ headers }: Answer, list: string, name: string): boolean {
  const names = (headers.get(list) ?? '')
    .toLowerCase()
    .split(',')
    .map(item => item.trim())
  return names.includes(name) || (names.includes('*') && name !== 'authorization')
}

function answered(answer: Answer): string {
  const allowed = answer.headers.get('access-control-allow-headers') ?? 'none'
  return `${shown(answer)}, Access-Control-Allow-Origin ${allowedOrigin(answer) ?? 'none'}, Access-Control-Allow-Headers ${allowed}`
}

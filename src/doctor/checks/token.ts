import { EVERY_CLIENT, type Fault, type Report } from '../finding.ts'
import { type Answer, isRedirect, type Probe, shown, textOf, unique } from '../probe.ts'
import type { ServerMetadata } from './server-metadata.ts'

interface Asking {
  readonly probe: Probe
  readonly report: Report
}

/** Sends a token request of a client that nobody knows: 401 `invalid_client`, as JSON, which no cache keeps (RFC 6749 §5.2). */
export async function checkToken({ document, url }: ServerMetadata, { probe, report }: Asking): Promise<void> {
  const endpoint = textOf(document, 'token_endpoint')
  if (endpoint === undefined || !URL.canParse(endpoint)) {
    const cure = 'serve the document as authmount makes it'
    report.finding({ code: 'token_unnamed', url, problem: 'there is no token_endpoint', stops: EVERY_CLIENT, cure })
    return
  }
  const fields = {
    grant_type: 'authorization_code',
    code: 'not-a-code',
    code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
    redirect_uri: 'http://127.0.0.1:53117/callback',
  }
  const clientId = `doctor-${unique()}`
  const answer = await probe.send(endpoint, { method: 'POST', body: new URLSearchParams({ ...fields, client_id: clientId }) })
  const fault: Fault = (code, problem, cure) => report.finding({ code, url: endpoint, problem, stops: EVERY_CLIENT, cure })
  if (!isErrorOfToken(answer, fault)) return
  if (!/\bno-store\b/i.test(answer.headers.get('cache-control') ?? '')) {
    fault(
      'token_cacheable',
      `its answers may be cached: Cache-Control is ${answer.headers.get('cache-control') ?? 'missing'}, and must be no-store (RFC 6749 §5.1)`,
      'let the answer through as authmount sends it: a proxy, CDN or middleware sets its own Cache-Control',
    )
  }
  await checkBasic(endpoint, fields, { probe, fault, clientId })
}

function isErrorOfToken(answer: Answer, fault: Fault): boolean {
  const { headers, json, status } = answer
  if (isRedirect(answer)) {
    const cure = 'advertise the address that it leads to, by issuer: clients repeat a redirected POST as a GET, without its body'
    fault('token_redirects', `a token request is redirected: ${shown(answer)}`, cure)
    return false
  }
  if (status === 0) {
    const cure =
      'something before authmount reads the body and keeps it to itself, or the store does not answer: mount authmount before such middleware, or let it put the parsed body into request.body'
    fault('token_unanswered', `a token request gets no answer: ${shown(answer)}`, cure)
    return false
  }
  const error = json && textOf(json, 'error')
  if (error === 'invalid_client' || error === 'invalid_grant') return true
  if (error === 'invalid_request' || error === 'unsupported_grant_type') {
    const said = json && textOf(json, 'error_description')
    fault(
      'token_body_lost',
      `the form of a token request does not arrive: ${error}${said ? ` (${said})` : ''}`,
      'mount authmount before your body parsers, or let what reads the body (a parser, a logger, a signature check, a serverless adapter) put the parsed form into request.body',
    )
    return false
  }
  if (status === 404 || status === 405 || (status < 400 && !json)) {
    const cure =
      'mount authmount before every catch-all and 404 handler, and set mountPath (or proxyPath, if a proxy removes the prefix) to the path at which its routes answer. The proxy must pass on POST'
    fault('token_missing', `the token endpoint is not there: ${shown(answer)}`, cure)
    return false
  }
  fault(
    'token_not_oauth',
    `an unknown client gets ${shown(answer)}, and must get 401 with the JSON {"error":"invalid_client"}`,
    status >= 500
      ? 'see the log of your server: the store does not answer, or an error handler of the host takes over'
      : `let authmount answer this path first: something before it (a CSRF check, a rate limiter, a firewall${headers.has('set-cookie') ? ', a session' : ''}) refuses the request`,
  )
  return false
}

/** The same client by HTTP Basic: if its header is lost, the server says that there is no `client_id`. */
async function checkBasic(
  endpoint: string,
  fields: Readonly<Record<string, string>>,
  { clientId, fault, probe }: { readonly clientId: string; readonly probe: Probe; readonly fault: Fault },
): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${clientId}:not-a-secret`).toString('base64')}`
  const answer = await probe.send(endpoint, { method: 'POST', headers: { authorization }, body: new URLSearchParams(fields) })
  if (!/client_id is missing/.test((answer.json && textOf(answer.json, 'error_description')) ?? '')) return
  fault(
    'token_authorization_lost',
    'a client that authenticates by HTTP Basic is answered as one that sends nothing: the Authorization header does not arrive',
    'pass on Authorization unchanged: look at the proxy (proxy_set_header Authorization, a password of its own) and at serverless adapters',
  )
}

import type { JsonObject } from '../../base/json.ts'
import { AGENTS, type Report } from '../finding.ts'
import { type Answer, isRedirect, listOf, type Probe, shown, textOf } from '../probe.ts'
import { AS_BROWSER, authorizationUrl } from './authorize.ts'
import type { ServerMetadata } from './server-metadata.ts'

interface Asking {
  readonly probe: Probe
  readonly report: Report
}

const JSON_TYPE = { 'content-type': 'application/json' }
const CURE = 'let authmount answer this path first; registration is set by the option clients'

/**
 * Examines the registration endpoint (RFC 7591), if there is one, by a registration that must be refused: nothing is left behind.
 * With `register` it goes on to registrations that must succeed.
 */
export async function checkRegistration(
  server: ServerMetadata,
  { probe, register, report }: Asking & { readonly register: boolean },
): Promise<void> {
  const { document } = server
  const endpoint = textOf(document, 'registration_endpoint')
  if (endpoint === undefined) return
  const body = JSON.stringify({ client_name: 'authmount doctor', redirect_uris: ['https://client.example/callback#fragment'] })
  const answer = await probe.send(endpoint, { method: 'POST', headers: JSON_TYPE, body })
  if (answer.status >= 400 && answer.status < 500 && answer.status !== 404 && answer.json && textOf(answer.json, 'error')) {
    if (answer.status === 401 || answer.status === 403)
      report.note('registration needs an initial access token: a client to which nobody gave one cannot register')
    else if (register) await registerClients(server, { probe, report })
    return
  }
  report.finding({
    code: isRedirect(answer) ? 'registration_redirects' : 'registration_missing',
    url: endpoint,
    problem: `a registration that must be refused gets ${shown(answer)}, and not 400 with an error in JSON (RFC 7591 §3.2.2)`,
    stops: AGENTS,
    cure: isRedirect(answer) ? 'advertise the address that it leads to: a redirected POST loses its body' : CURE,
  })
}

/** Registrations as clients send them, each of a kind that has been refused or answered wrongly elsewhere. */
const CLIENTS: readonly { readonly client: string; readonly metadata: JsonObject }[] = [
  {
    client: 'Claude Code',
    metadata: {
      client_name: 'authmount doctor (a program on a device)',
      redirect_uris: ['http://localhost:3118/callback', 'http://127.0.0.1:3118/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
  },
  {
    client: 'Cursor',
    metadata: {
      client_name: 'authmount doctor (an editor)',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
  },
  {
    client: 'hosted agents with a secret (claude.ai, Copilot Studio)',
    metadata: {
      client_name: 'authmount doctor (a hosted agent)',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
    },
  },
]

/** Registers clients, reads the answers as strictly as they do, and deletes what it has registered. */
async function registerClients({ document }: ServerMetadata, { probe, report }: Asking): Promise<void> {
  const endpoint = textOf(document, 'registration_endpoint')
  if (endpoint === undefined) return
  const methods = listOf(document, 'token_endpoint_auth_methods_supported')
  for (const { client, metadata } of CLIENTS) {
    if (!methods.includes(String(metadata.token_endpoint_auth_method))) continue
    const answer = await probe.send(endpoint, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(metadata) })
    const clientId = answer.json && textOf(answer.json, 'client_id')
    if (!answer.json || !clientId) {
      const said = answer.json && textOf(answer.json, 'error_description')
      report.finding({
        code: 'registration_refused',
        url: endpoint,
        problem: `a registration as ${client} sends it gets ${shown(answer)}${said ? ` (${said})` : ''}`,
        stops: [client],
        cure: 'see the option clients: it says who may register, and which schemes redirect URIs may have',
      })
      continue
    }
    const wrong = faultsOf(metadata, answer)
    if (wrong.length > 0) {
      report.finding({
        code: 'registration_answer',
        url: endpoint,
        problem: `the answer to ${client} cannot be used: ${wrong.join('; ')}`,
        stops: [client, 'clients that read registration answers strictly (the MCP SDKs, openid-client, ChatGPT)'],
        cure: CURE,
      })
    }
    if (client === 'Claude Code') await checkLoopback(document, clientId, { probe, report })
    await deleteClient(answer.json, { clientId, endpoint }, { probe, report })
  }
}

/** What has stopped clients in answers of other servers. */
function faultsOf(metadata: JsonObject, { json, status }: Answer): readonly string[] {
  const answer = json ?? {}
  const faults: string[] = []
  if (status !== 201) faults.push(`the status is ${status}, and must be 201`)
  const empty = Object.entries(answer).filter(([, value]) => value === null || value === '')
  for (const [name] of empty) faults.push(`${name} is null or empty, and must be absent`)
  for (const name of ['redirect_uris', 'token_endpoint_auth_method']) {
    if (JSON.stringify(answer[name]) !== JSON.stringify(metadata[name])) faults.push(`${name} is not what was sent`)
  }
  const secret = answer.client_secret !== undefined
  if (metadata.token_endpoint_auth_method === 'none' && secret) faults.push('a client without a secret is given one')
  if (metadata.token_endpoint_auth_method !== 'none' && !secret) faults.push('client_secret is missing')
  if (secret && typeof answer.client_secret_expires_at !== 'number') faults.push('client_secret_expires_at must be a number')
  if ((answer.registration_access_token === undefined) !== (answer.registration_client_uri === undefined))
    faults.push('registration_access_token and registration_client_uri must come together')
  return faults
}

/** RFC 8252 §7.3: a program on a device takes any free port. */
async function checkLoopback(document: JsonObject, clientId: string, { probe, report }: Asking): Promise<void> {
  const endpoint = textOf(document, 'authorization_endpoint') ?? ''
  if (!URL.canParse(endpoint)) return
  for (const host of ['localhost', '127.0.0.1']) {
    const redirectUri = `http://${host}:53117/callback`
    const url = authorizationUrl(endpoint, { client_id: clientId, redirect_uri: redirectUri })
    const answer = await probe.send(url, { headers: AS_BROWSER })
    if (isRedirect(answer) || answer.status === 200) continue
    report.finding({
      code: 'loopback_port',
      url: endpoint,
      problem: `a client that registered http://${host}:3118/callback may not come back at ${redirectUri}: ${shown(answer)}`,
      stops: ['Claude Code', 'VS Code', 'Codex', 'every program that takes a free port'],
      cure: 'leave the port of loopback redirect URIs free, which authmount does for clients that registered themselves; of apps that you register, localhost needs loopbackLocalhost: true',
    })
  }
}

async function deleteClient(
  registered: JsonObject,
  { clientId, endpoint }: { readonly clientId: string; readonly endpoint: string },
  { probe, report }: Asking,
): Promise<void> {
  const token = textOf(registered, 'registration_access_token')
  const address = textOf(registered, 'registration_client_uri')
  const answer =
    token === undefined || address === undefined
      ? null
      : await probe.send(address, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
  if (answer?.status === 204) return
  report.finding({
    code: 'registration_left',
    url: endpoint,
    problem: `the client ${clientId}, which this doctor registered, could not be deleted: ${answer ? shown(answer) : 'there is no registration_access_token'}`,
    stops: ['nobody; the client is left behind'],
    cure: `delete the app ${clientId} by hand, or let it expire`,
  })
}

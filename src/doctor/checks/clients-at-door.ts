import type { Report } from '../finding.ts'
import { type Probe, shown } from '../probe.ts'
import type { ServerMetadata } from './server-metadata.ts'

/** What clients call themselves when they read the metadata. */
const AGENTS: Readonly<Record<string, string>> = {
  Claude: 'python-httpx/0.28.1',
  'clients on Node (VS Code, Cursor, the MCP SDK)': 'node',
  Codex: 'codex-mcp-client/0.147.0',
  'clients in Go': 'Go-http-client/2.0',
}

/** Reads the metadata as clients do: firewalls know their names. */
export async function checkClientsAtDoor(
  { url }: ServerMetadata,
  { probe, report }: { readonly probe: Probe; readonly report: Report },
): Promise<void> {
  const answers = await Promise.all(
    Object.entries(AGENTS).map(async ([client, agent]) => ({
      client,
      agent,
      answer: await probe.send(url, {
        headers: { 'user-agent': agent, accept: '*/*', 'mcp-protocol-version': '2024-11-05' },
      }),
    })),
  )
  const shut = answers.filter(({ answer }) => answer.status !== 200 || !answer.json)
  const [first] = shut
  if (!first) return
  report.finding({
    code: 'client_kept_out',
    url,
    problem: `a client that calls itself ${shut.map(({ agent }) => agent).join(', ')} gets ${shown(first.answer)}, and this doctor gets the document`,
    stops: shut.map(({ client }) => client),
    cure: 'exempt /.well-known/, /oauth/ and the guarded routes from the bot protection of the firewall or CDN: clients are programs',
  })
}

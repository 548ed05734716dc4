import type { IncomingMessage, ServerResponse } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { authOf, type McpOptions } from 'authmount/mcp'
import { z } from 'zod'
import { addRecord, allRecords, recordsOf } from '../host/records.ts'

/** The scopes of the MCP server: reading is what a client connects for, and writing is asked for when a tool needs it. */
export function mcpOptions(origin: string): McpOptions {
  return { resource: `${origin}/mcp`, scopes: ['read:records'], tools: { add_record: ['write:records'] } }
}

/** Answers a request that the guard has let in. Each has a server of its own: without sessions, any process can answer. */
export async function answerMcp(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
  const { userId } = authOf(request).extra
  const server = new McpServer({ name: 'Records', version: '1.0.0' })
  server.registerTool('list_records', { description: 'Lists the records of the user.' }, () =>
    text(JSON.stringify(userId === null ? allRecords() : recordsOf(userId))),
  )
  server.registerTool(
    'add_record',
    { description: 'Adds a record for the user.', inputSchema: { text: z.string() } },
    ({ text: words }) => (userId === null ? text('there is no user', true) : text(JSON.stringify(addRecord(userId, words)))),
  )

  const transport = new StreamableHTTPServerTransport({})
  response.on('close', () => server.close())
  await server.connect(transport as Parameters<McpServer['connect']>[0])
  await transport.handleRequest(request, response, body)
}

function text(words: string, isError = false) {
  return { content: [{ type: 'text' as const, text: words }], isError }
}

import { allowPreflight, isPreflight } from '../http/preflight.ts'
import { json } from '../http/reply.ts'
import { resourceMetadataUrl } from '../http/resource-metadata-url.ts'
import type { Body, HttpResponse } from '../http/types.ts'
import { bearerToken, boundToken, type GuardedRequest, type Guarding, type TokenGuard } from '../tokens/token-guard.ts'
import { type McpAuthInfo, mcpAuthInfo } from './auth-info.ts'

/** What an MCP server requires of an access token. `Scope` is the names of the scopes that there are. */
export interface McpOptions<Scope extends string = string> {
  /** The URL of the MCP server, as people paste it into a client: a member of the option `resources`, or the verifier's `audience`. */
  readonly resource: string
  /** The scopes that every request needs. A client asks its user for these when it connects. Default: none. */
  readonly scopes?: readonly Scope[] | undefined
  /**
   * The scopes that a call of a tool needs beside `scopes`, by the tool's name. A token without them is answered 403 with
   * `insufficient_scope`, and the client asks its user for them then. Default: none.
   */
  readonly tools?: Readonly<Record<string, readonly Scope[]>> | undefined
}

/** Decides a request: its token is good, or this is the answer. `readBody` is called only if the tools have scopes. Never rejects unless `readBody` does. */
export type McpGuard = (
  request: GuardedRequest,
  readBody: () => Promise<Body>,
) => Promise<
  | { readonly auth: McpAuthInfo; readonly headers: Readonly<Record<string, string>> | undefined }
  | { readonly answer: HttpResponse }
>

/** Every answer of an MCP route has these. The route reads no cookie, so no page can do more than any other program. */
export const MCP_CORS = Object.freeze({
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'www-authenticate, mcp-session-id, mcp-protocol-version, retry-after, dpop-nonce',
})

const METHODS = 'GET, POST, DELETE'

/** Makes the guard of an MCP route. Throws TypeError for options that cannot work. */
export function createMcpGuard<Scope extends string>(
  server: Guarding<Scope>,
  { resource, scopes = [], tools = {}, ...unknown }: McpOptions<Scope>,
): McpGuard {
  for (const name of Object.keys(unknown)) throw new TypeError(`${name} is not an option: use resource, scopes and tools`)
  const guard = guardOf(server, resource, scopes)
  const guardsOfTools = new Map(
    Object.entries(tools).map(([tool, own]) => {
      const needed = [...new Set([...scopes, ...own])]
      return [tool, { needed, guard: guardOf(server, resource, needed) }]
    }),
  )

  return async (request, readBody) => {
    if (isPreflight(request)) return { answer: allowPreflight(request.headers, '*', METHODS) }
    const checked = await guard(request)
    if ('refusal' in checked) return { answer: checked.refusal }
    const { headers, oauth } = checked
    const { authorization } = request.headers
    if (guardsOfTools.size > 0 && request.method === 'POST') {
      const body = await readBody()
      if (body.kind === 'unreadable') return { answer: parseError(body) }
      for (const tool of body.kind === 'json' ? calledTools(body.json) : []) {
        const ofTool = guardsOfTools.get(tool)
        if (!ofTool || ofTool.needed.every(scope => oauth.scopes.includes(scope))) continue
        const refused = await ofTool.guard(request)
        if ('refusal' in refused) return { answer: refused.refusal }
      }
    }
    return { auth: mcpAuthInfo(bearerToken(authorization) ?? boundToken(authorization) ?? '', oauth, resource), headers }
  }
}

/** Makes a guard whose refusals name the metadata of the resource, also where the server itself does not know its URL. */
export function guardOf<Scope extends string>(server: Guarding<Scope>, resource: string, scopes: readonly Scope[]): TokenGuard {
  if (typeof server?.guard !== 'function')
    throw new TypeError('the first argument must be what createAuthmount or createVerifier returned')
  if (typeof resource !== 'string' || !URL.canParse(resource))
    throw new TypeError('resource must be the URL of the MCP server, such as https://example.com/mcp')
  const guard = server.guard({ resource, scopes })
  const metadata = resourceMetadataUrl(resource)
  return async request => {
    const result = await guard(request)
    if (!('refusal' in result)) return result
    const { headers } = result.refusal
    const challenge = headers['www-authenticate']
    if (challenge === undefined || challenge.includes('resource_metadata=')) return result
    const named = { ...headers, 'www-authenticate': `${challenge}, resource_metadata="${metadata}"` }
    return { refusal: { ...result.refusal, headers: named } }
  }
}

/** The tools that a message, or a batch of them, calls. */
function calledTools(message: unknown): readonly string[] {
  return [message].flat().flatMap(one => {
    const { method, params } = fieldsOf(one)
    const { name } = fieldsOf(params)
    return method === 'tools/call' && typeof name === 'string' ? [name] : []
  })
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

/** JSON-RPC 2.0 §5.1. */
function parseError({ reason, status }: Body & { readonly kind: 'unreadable' }): HttpResponse {
  return json(status, { jsonrpc: '2.0', error: { code: -32700, message: reason }, id: null })
}

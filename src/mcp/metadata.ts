import { splitUrl } from '../http/node-message.ts'
import { allowPreflight, isPreflight } from '../http/preflight.ts'
import { empty } from '../http/reply.ts'
import { resourceMetadataUrl } from '../http/resource-metadata-url.ts'
import type { HttpResponse } from '../http/types.ts'
import type { GuardedRequest } from '../tokens/token-guard.ts'

/** The metadata of an MCP server that runs in a process of its own. */
export interface McpMetadataOptions {
  /** The URL of the MCP server, as people paste it into a client. */
  readonly resource: string
  /** The issuer of the authorization server. */
  readonly issuer: string
  /** The scopes to name. Clients that find none in a 401 ask for these. Default: none. */
  readonly scopes?: readonly string[] | undefined
  /** What to call the server to people. Default: nothing. */
  readonly name?: string | undefined
}

/** Answers requests for the document at its well-known place (RFC 9728 §3.1), and nothing else. Throws TypeError for options that cannot work. */
export function createMcpMetadata({
  issuer,
  name,
  resource,
  scopes,
}: McpMetadataOptions): (request: GuardedRequest) => HttpResponse | undefined {
  for (const [option, value] of Object.entries({ issuer, resource }))
    if (typeof value !== 'string' || !URL.canParse(value)) throw new TypeError(`${option} must be a URL`)
  const path = new URL(resourceMetadataUrl(resource)).pathname
  const document: HttpResponse = {
    status: 200,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
    },
    body: JSON.stringify({
      resource,
      resource_name: name,
      authorization_servers: [issuer],
      scopes_supported: scopes,
      bearer_methods_supported: ['header'],
    }),
  }
  return request => {
    if (splitUrl(request.url).path !== path) return undefined
    if (isPreflight(request)) return allowPreflight(request.headers, '*', 'GET')
    return request.method === 'GET' || request.method === 'HEAD' ? document : empty(405, { allow: 'GET' })
  }
}

import type { JsonObject } from '../../base/json.ts'
import { OPENID_SCOPES } from '../../options/scopes.ts'
import { AGENTS, EVERY_CLIENT, type Report } from '../finding.ts'
import { differenceOf, resourceMetadataPlaces } from '../places.ts'
import { listOf, type Probe, shown, textOf } from '../probe.ts'
import { readDocument } from './document.ts'
import type { GuardedRoute } from './guarded-route.ts'
import { mountCure } from './mount-cure.ts'

/** Examines the protected-resource metadata (RFC 9728), and returns the authorization server they name. */
export async function checkResourceMetadata(
  url: string,
  { metadataUrl }: GuardedRoute,
  { probe, report }: { readonly probe: Probe; readonly report: Report },
): Promise<string | null> {
  const usual = resourceMetadataPlaces(url)
  const places = [...new Set(metadataUrl === null ? usual : [metadataUrl, ...usual])]
  const answers = await Promise.all(places.map(place => probe.send(place, { headers: { 'mcp-protocol-version': '2025-11-25' } })))
  const documents = new Map(answers.map(answer => [answer.url, readDocument(answer, report)]))
  const found = [...documents].find(([, document]) => document !== null)
  const [named] = answers
  if (!found || (metadataUrl !== null && !documents.get(metadataUrl))) {
    if (named && named.status !== 200 && !named.headers.has('location')) {
      report.finding({
        code: 'resource_metadata_missing',
        url: named.url,
        problem: `there is no metadata of the protected resource where ${metadataUrl === null ? 'clients look' : 'the 401 leads'}: ${shown(named)}`,
        stops: AGENTS,
        cure: `${await mountCure(url, probe)} The options resources and issuer say which documents there are`,
      })
    }
  } else if (!usual.some(place => documents.get(place))) {
    report.finding({
      code: 'resource_metadata_unusual',
      url: usual[0] ?? url,
      problem: `the metadata are at ${found[0]} alone, and neither at ${usual.join(' nor at ')}`,
      stops: ['clients that look there without reading the 401: MCP SDKs up to 1.10, older editors'],
      cure: `let the proxy pass on /.well-known/oauth-protected-resource and every path below it, and name ${url} in resources`,
    })
  }
  if (!found?.[1]) return null
  return readResource(url, { place: found[0], document: found[1] }, report)
}

function readResource(
  url: string,
  { document, place }: { readonly place: string; readonly document: JsonObject },
  report: Report,
): string | null {
  const resource = textOf(document, 'resource') ?? ''
  checkResource(url, { resource, place }, report)
  const openid = listOf(document, 'scopes_supported').filter(scope => OPENID_SCOPES.has(scope) || scope === 'offline_access')
  if (openid.length > 0) {
    report.finding({
      code: 'resource_lists_openid_scopes',
      url: place,
      problem: `scopes_supported has ${openid.join(', ')}, which are for apps that sign users in: clients ask for every scope of this list`,
      stops: ['MCP SDKs', 'VS Code', 'Claude: where the app may not have these scopes'],
      cure: 'serve the document as authmount makes it, without them; a document of your own lists the scopes of this API alone',
    })
  }
  const methods = listOf(document, 'bearer_methods_supported')
  if (methods.length > 0 && !methods.includes('header')) {
    report.finding({
      code: 'resource_without_header',
      url: place,
      problem: 'bearer_methods_supported has no "header", the only way in which clients send a token',
      stops: EVERY_CLIENT,
      cure: 'serve the document as authmount makes it',
    })
  }
  if (textOf(document, 'resource_name') === undefined)
    report.note('the resource metadata have no resource_name, so clients show the address')
  const [issuer] = listOf(document, 'authorization_servers')
  if (issuer !== undefined && URL.canParse(issuer)) return issuer
  report.finding({
    code: 'no_authorization_server',
    url: place,
    problem: 'authorization_servers names no authorization server',
    stops: AGENTS,
    cure: 'serve the document as authmount makes it: with issuer in authorization_servers',
  })
  return null
}

/** RFC 9728 §3.3: the resource is the URL that the client has. The MCP SDKs also take one above it on the same origin. */
function checkResource(
  url: string,
  { place, resource }: { readonly resource: string; readonly place: string },
  report: Report,
): void {
  const same = URL.canParse(resource) && new URL(resource).href === new URL(url).href
  if (resource === url || same) return
  const above = URL.canParse(resource) && url.startsWith(`${resource}/`) && url !== `${resource}/`
  if (above) {
    report.note(
      `the resource is ${resource}, above this URL: MCP clients take that; for a token of this route alone, name it in resources and in requireToken({ resource })`,
    )
    return
  }
  report.finding({
    code: 'resource_mismatch',
    url: place,
    problem: `resource is ${JSON.stringify(resource)}, and the client's URL is ${JSON.stringify(url)}: ${differenceOf(resource, url)}`,
    stops: AGENTS,
    cure: `name ${url} in resources, byte for byte as clients get it, and guard the route with requireToken({ resource: '${url}' }); or give clients ${resource === '' ? 'the URL that resources names' : resource}`,
  })
}

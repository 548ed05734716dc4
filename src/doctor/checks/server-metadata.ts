import type { JsonObject } from '../../base/json.ts'
import { isLoopback } from '../../base/loopback.ts'
import { AGENTS, EVERY_CLIENT, type FindingCode, type Found, type Report } from '../finding.ts'
import { differenceOf, serverMetadataPlaces } from '../places.ts'
import { type Answer, listOf, type Probe, shown, textOf, unique } from '../probe.ts'
import { readDocument } from './document.ts'
import { mountCure } from './mount-cure.ts'

/** The metadata of the authorization server. */
export interface ServerMetadata {
  readonly issuer: string
  readonly url: string
  readonly document: JsonObject
}

const STRICT: readonly string[] = ['the MCP SDKs', 'openid-client', 'oauth4webapi', 'the OpenID and MCP conformance suites']

/** Examines every place at which clients look for the metadata of an issuer (RFC 8414 §3, OpenID Connect Discovery §4). */
export async function checkServerMetadata(
  issuer: string,
  { guarded, probe, report }: { readonly guarded: string; readonly probe: Probe; readonly report: Report },
): Promise<ServerMetadata | null> {
  const places = serverMetadataPlaces(issuer)
  checkIssuer(issuer, places[0], report)
  const answers = await Promise.all(places.map(place => probe.send(place, { headers: { 'mcp-protocol-version': '2025-11-25' } })))
  const documents = answers.map(answer => ({ answer, document: readDocument(answer, report) }))
  const missing = answers.filter(({ headers, status }) => status !== 200 && !headers.has('location'))
  const found = documents.find(({ document }) => document !== null)
  if (missing.length > 0) report.finding(await missingPlaces(missing, { all: !found, guarded, probe }))
  if (!found?.document) return null

  for (const { answer, document } of documents) if (document) checkSameIssuer(issuer, { url: answer.url, document }, report)
  const differing = documents.find(({ document }) => document && !sameDocument(document, found.document))
  if (differing) {
    report.finding({
      code: 'server_metadata_differ',
      url: differing.answer.url,
      problem: `${found.answer.url} and ${differing.answer.url} say different things`,
      stops: ['clients that read one and then the other: the MCP SDKs, editors'],
      cure: 'serve both from the same authmount: one is an old copy in a cache or a static file, or another server answers there',
    })
  }
  await checkCache({ answer: found.answer, document: found.document }, { probe, report })
  return { issuer, url: found.answer.url, document: found.document }
}

function checkIssuer(issuer: string, url: string, report: Report): void {
  const parsed = new URL(issuer)
  if (parsed.protocol !== 'https:' && !isLoopback(parsed)) {
    report.finding({
      code: 'issuer_insecure',
      url,
      problem: `the authorization server is ${issuer}, without https`,
      stops: EVERY_CLIENT,
      cure: 'set issuer to the https address as the world sees it; the proxy that ends TLS may speak http to your server',
    })
  }
}

async function missingPlaces(
  missing: readonly Answer[],
  { all, guarded, probe }: { readonly all: boolean; readonly guarded: string; readonly probe: Probe },
): Promise<Found> {
  const [first] = missing
  const url = first?.url ?? ''
  const list = missing.map(answer => `${answer.url} (${shown(answer)})`).join(', ')
  if (all) {
    return {
      code: 'server_metadata_missing',
      url,
      problem: `there is no metadata of the authorization server: ${list}`,
      stops: EVERY_CLIENT,
      cure: await mountCure(guarded, probe),
    }
  }
  return {
    code: 'server_metadata_place_missing',
    url,
    problem: `the metadata are missing at a place where some clients look first: ${list}`,
    stops: missing.map(({ url }) =>
      url.includes('openid-configuration') ? 'OpenID Connect libraries' : 'the MCP SDKs, Claude and editors',
    ),
    cure: 'authmount serves all of them: let the proxy pass on /.well-known/ at the root of the host and below the path of the issuer',
  }
}

function checkSameIssuer(
  issuer: string,
  { document, url }: { readonly url: string; readonly document: JsonObject },
  report: Report,
): void {
  const named = textOf(document, 'issuer') ?? ''
  if (named === issuer) return
  report.finding({
    code: 'issuer_mismatch',
    url,
    problem: `issuer is ${JSON.stringify(named)}, and the resource metadata lead to ${JSON.stringify(issuer)}: ${differenceOf(named, issuer)}. Clients compare byte for byte (RFC 8414 §3.3)`,
    stops: STRICT,
    cure: 'let one option say it: issuer, without a slash at the end. If it does, something in front rewrites one of the two documents, or keeps an old copy',
  })
}

function sameDocument(a: JsonObject, b: JsonObject | null): boolean {
  const names = (document: JsonObject | null) =>
    JSON.stringify(Object.entries(document ?? {}).toSorted(([x], [y]) => (x < y ? -1 : 1)))
  return names(a) === names(b)
}

/** A day: after a change of the options, clients would be told the old for longer than anybody waits. */
const MAX_AGE_SECONDS = 86_400

/** Asks again in a way that no cache can answer, and compares. */
async function checkCache(
  { answer, document }: { readonly answer: Answer; readonly document: JsonObject },
  { probe, report }: { readonly probe: Probe; readonly report: Report },
): Promise<void> {
  const control = answer.headers.get('cache-control') ?? ''
  const ages = [...control.matchAll(/(?:s-maxage|max-age)\s*=\s*"?(\d+)/gi)].map(([, seconds]) => Number(seconds))
  const fresh = await probe.send(`${answer.url}?authmount-doctor=${unique()}`, { headers: { 'cache-control': 'no-cache' } })
  const stale = fresh.status === 200 && fresh.json !== null && !sameDocument(document, fresh.json)
  if (!stale && Math.max(0, ...ages) <= MAX_AGE_SECONDS) return
  report.finding({
    code: 'metadata_cached',
    url: answer.url,
    problem: stale
      ? 'a cache in front answers with an old copy: past the cache the document is another'
      : `it may be cached for ${Math.max(...ages)} seconds (Cache-Control: ${control}); authmount says five minutes`,
    stops: ['clients that connect after a change of the options or of keys'],
    cure: 'let the proxy or CDN follow the Cache-Control that authmount sends, for everything below /.well-known/, and purge it now',
  })
}

/** The members that are URLs of endpoints. */
const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'revocation_endpoint',
  'introspection_endpoint',
  'registration_endpoint',
  'userinfo_endpoint',
  'jwks_uri',
  'end_session_endpoint',
] as const

/** Examines what the metadata offer to clients. */
export async function checkOffers({ document, issuer, url }: ServerMetadata, report: Report): Promise<void> {
  const { origin } = new URL(issuer)
  const strays = ENDPOINTS.flatMap(name => {
    const value = textOf(document, name)
    return value !== undefined && (!URL.canParse(value) || new URL(value).origin !== origin) ? [`${name} ${value}`] : []
  })
  if (strays.length > 0) {
    report.finding({
      code: 'endpoints_elsewhere',
      url,
      problem: `endpoints are not at the origin of the issuer, ${origin}: ${strays.join(', ')}`,
      stops: EVERY_CLIENT,
      cure: 'authmount makes every address of issuer: something in front rewrites the body of the document (sub_filter, a gateway), or issuer names an address of the inside',
    })
  }
  const lacks = (name: string, value: string) => !listOf(document, name).includes(value)
  const member = (
    code: FindingCode,
    [name, value]: readonly [string, string],
    why: string,
    stops: readonly string[],
    cure: string,
  ) => {
    if (lacks(name, value)) report.finding({ code, url, problem: `${name} lacks ${value}: ${why}`, stops, cure })
  }
  member(
    'no_s256',
    ['code_challenge_methods_supported', 'S256'],
    'MCP clients refuse a server that does not list it',
    AGENTS,
    'serve the document as authmount makes it, which lists S256 always',
  )
  member(
    'no_code',
    ['response_types_supported', 'code'],
    'it is the one flow that there is',
    EVERY_CLIENT,
    'serve the document as authmount makes it',
  )
  const withDocuments = document.client_id_metadata_document_supported === true
  member(
    'no_none',
    ['token_endpoint_auth_methods_supported', 'none'],
    withDocuments
      ? 'with client_id_metadata_document_supported, clients that have a document have no secret, and fall back to registration without a word'
      : 'public clients have no secret and authenticate with none',
    withDocuments
      ? ['Claude', 'VS Code', 'every client with a metadata document']
      : ['command-line tools, editors and web pages', ...AGENTS],
    'serve the document as authmount makes it, with none: something in front filters it, or another server answers here',
  )
  if (lacks('scopes_supported', 'offline_access'))
    report.note(
      'scopes_supported lacks offline_access: clients that ask for it only where it is listed may get no refresh token elsewhere',
    )
  if (document.authorization_response_iss_parameter_supported !== true)
    report.note(
      'authorization_response_iss_parameter_supported is not true: ChatGPT then uses another redirect URI for each connection',
    )
  const registers = textOf(document, 'registration_endpoint') !== undefined
  if (!withDocuments && !registers)
    report.note(
      'neither client_id_metadata_document_supported nor registration_endpoint: each client must be registered by hand, unless the option clients lets them come by themselves',
    )
  else if (!withDocuments)
    report.note('client_id_metadata_document_supported is not there: clients register themselves, each installation anew')
  else if (!registers)
    report.note('there is no registration_endpoint: clients without a metadata document must be registered by hand')
}

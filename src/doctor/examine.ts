import { checkAuthorize } from './checks/authorize.ts'
import { checkClientsAtDoor } from './checks/clients-at-door.ts'
import { checkRouteCors, checkServerCors } from './checks/cross-origin.ts'
import { checkGuardedRoute } from './checks/guarded-route.ts'
import { checkRegistration } from './checks/registration.ts'
import { checkResourceMetadata } from './checks/resource-metadata.ts'
import { checkOffers, checkServerMetadata } from './checks/server-metadata.ts'
import { checkCookies, checkKeys, checkLogin } from './checks/sign-in.ts'
import { checkToken } from './checks/token.ts'
import { type CheckOptions, Results } from './finding.ts'
import { Probe } from './probe.ts'

/** There was no answer at all, so nothing could be examined. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** The outcome of an examination. */
export interface Examination extends Pick<Results, 'checks' | 'findings' | 'notes'> {
  readonly url: string
  /** The authorization server; null if none was found. */
  readonly issuer: string | null
}

/**
 * Examines the server behind a guarded URL as clients do that know nothing but this URL. Rejects with TypeError for an address
 * that is none, and with Unreachable if there is no answer.
 */
export async function examine(url: string, options: CheckOptions = {}): Promise<Examination> {
  const { href, origin, pathname, search } = readUrl(url)
  if (options.at !== undefined) readUrl(options.at)
  // As clients have it: a URL without a path has no slash of its own, and a fragment is not sent.
  const given = href === `${url}/` ? url : origin + pathname + search
  const probe = new Probe(options)
  const results = new Results()
  const issuer = await run(given, { results, options, probe })
  await results.run('cookies', report => checkCookies(probe.cookies, report))
  return { url: given, issuer, checks: results.checks, findings: results.findings, notes: results.notes }
}

const ROUTE = '401 of the guarded route'
const RESOURCE = 'metadata of the resource'
const SERVER = 'metadata of the server'
const OF_THE_SERVER = [
  'what the metadata offer',
  'CORS of metadata and endpoints',
  'authorization endpoint',
  'token endpoint',
  'keys and userinfo',
  'login page',
  'registration',
  'clients by user agent',
] as const

async function run(
  url: string,
  { results, options, probe }: { readonly results: Results; readonly options: CheckOptions; readonly probe: Probe },
): Promise<string | null> {
  const route = await results.run(ROUTE, async report => {
    const route = await checkGuardedRoute(url, probe, report)
    if (route.answer.status === 0) throw new Unreachable(`${url} cannot be reached: ${route.answer.failure}`)
    return route
  })
  // Whatever is served here describes the other address.
  if (route.elsewhere) {
    results.skip([RESOURCE, SERVER, ...OF_THE_SERVER])
    return null
  }
  const named = await results.run(RESOURCE, report => checkResourceMetadata(url, route, { probe, report }))
  if (route.answer.status === 401)
    await results.run('CORS of the guarded route', report => checkRouteCors(url, route, { probe, report }))
  // Without resource metadata: the realm of authmount's own guard is the issuer; otherwise, as clients did before RFC 9728.
  const realm = route.realm !== null && /^https?:\/\//.test(route.realm) && URL.canParse(route.realm) ? route.realm : null
  const issuer = named ?? realm ?? new URL(url).origin
  const server = await results.run(SERVER, report => checkServerMetadata(issuer, { guarded: url, probe, report }))
  if (!server) {
    results.skip(OF_THE_SERVER)
    return issuer
  }
  const [offers, cors, authorize, token, keys, login, registration, door] = OF_THE_SERVER
  await results.run(offers, report => checkOffers(server, report))
  await results.run(cors, report => checkServerCors(server, { probe, report }))
  await results.run(authorize, report => checkAuthorize(server, { probe, report }))
  await results.run(token, report => checkToken(server, { probe, report }))
  await results.run(keys, report => checkKeys(server, { probe, report }))
  await results.run(login, report => checkLogin(server, { probe, report }))
  const register = options.register === true
  await results.run(registration, report => checkRegistration(server, { probe, register, report }))
  await results.run(door, report => checkClientsAtDoor(server, { probe, report }))
  return issuer
}

function readUrl(url: string): URL {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) throw new TypeError(`${url} is no http or https URL`)
  return new URL(url)
}

import { checkAuthorize } from './checks/authorize.ts'
import { checkClientsAtDoor } from './checks/clients-at-door.ts'
import { checkRouteCors, checkServerCors } from './checks/cross-origin.ts'
import { checkGuardedRoute } from './checks/guarded-route.ts'
import { checkRegistration, registerClients } from './checks/registration.ts'
import { checkResourceMetadata } from './checks/resource-metadata.ts'
import { checkOffers, checkServerMetadata } from './checks/server-metadata.ts'
import { checkCookies, checkKeys, checkLogin } from './checks/sign-in.ts'
import { checkToken } from './checks/token.ts'
import { Chart, type CheckOptions } from './finding.ts'
import { Probe } from './probe.ts'

/** There was no answer at all, so nothing could be examined. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** The outcome of an examination. */
export interface Examination extends Pick<Chart, 'checks' | 'findings' | 'notes'> {
  readonly url: string
  /** The authorization server; null if none was found. */
  readonly issuer: string | null
}

/**
 * Examines the server behind a guarded URL as clients do that know nothing but this URL. Rejects with TypeError for an address
 * that is none, and with Unreachable if there is no answer.
 */
export async function examine(url: string, options: CheckOptions = {}): Promise<Examination> {
  const { href } = readUrl(url)
  if (options.at !== undefined) readUrl(options.at)
  // As clients have it: a URL without a path has no slash of its own.
  const given = href === `${url}/` ? url : href
  const probe = new Probe(options)
  const chart = new Chart()
  const issuer = await run(given, { chart, options, probe })
  await chart.run('cookies', report => checkCookies(probe.cookies, report))
  return { url: given, issuer, checks: chart.checks, findings: chart.findings, notes: chart.notes }
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
  'clients by their names',
] as const

async function run(
  url: string,
  { chart, options, probe }: { readonly chart: Chart; readonly options: CheckOptions; readonly probe: Probe },
): Promise<string | null> {
  const route = await chart.run(ROUTE, async report => {
    const route = await checkGuardedRoute(url, probe, report)
    if (route.answer.status === 0) throw new Unreachable(`${url} cannot be reached: ${route.answer.failure}`)
    return route
  })
  // Whatever is served here describes the other address.
  if (route.elsewhere) {
    chart.skip([RESOURCE, SERVER, ...OF_THE_SERVER])
    return null
  }
  const named = await chart.run(RESOURCE, report => checkResourceMetadata(url, route, { probe, report }))
  if (route.answer.status === 401)
    await chart.run('CORS of the guarded route', report => checkRouteCors(url, route, { probe, report }))
  // Without resource metadata: the realm of authmount's own guard is the issuer; otherwise, as clients did before RFC 9728.
  const realm = route.realm !== null && /^https?:\/\//.test(route.realm) && URL.canParse(route.realm) ? route.realm : null
  const issuer = named ?? realm ?? new URL(url).origin
  const server = await chart.run(SERVER, report => checkServerMetadata(issuer, { guarded: url, probe, report }))
  if (!server) {
    chart.skip(OF_THE_SERVER)
    return issuer
  }
  const [offers, cors, authorize, token, keys, login, registration, door] = OF_THE_SERVER
  await chart.run(offers, report => checkOffers(server, report))
  await chart.run(cors, report => checkServerCors(server, { probe, report }))
  await chart.run(authorize, report => checkAuthorize(server, { probe, report }))
  await chart.run(token, report => checkToken(server, { probe, report }))
  await chart.run(keys, report => checkKeys(server, { probe, report }))
  await chart.run(login, report => checkLogin(server, { probe, report }))
  await chart.run(registration, async report => {
    await checkRegistration(server, { probe, report })
    if (options.register) await registerClients(server, { probe, report })
  })
  await chart.run(door, report => checkClientsAtDoor(server, { probe, report }))
  return issuer
}

function readUrl(url: string): URL {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) throw new TypeError(`${url} is no http or https URL`)
  return new URL(url)
}

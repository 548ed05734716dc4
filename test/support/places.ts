/** Where tests run: the rule that test/README.md states. */

/** Servers of the matrix, each with the variable that holds its URL. */
export const SERVER_URLS = {
  redis: 'REDIS_URL',
  'redis-cluster': 'REDIS_CLUSTER_URL',
  mongo: 'MONGO_URL',
  postgres: 'POSTGRES_URL',
} as const

export type ServerName = keyof typeof SERVER_URLS
export const SERVER_NAMES = Object.keys(SERVER_URLS) as readonly ServerName[]

/** `package` is the package as npm packs it, `site` the documentation site: each takes a minute to build. */
export type Place = 'memory' | ServerName | 'browser' | 'package' | 'site'
export const PLACES: readonly Place[] = ['memory', ...SERVER_NAMES, 'browser', 'package', 'site']

export function isServer(place: Place): place is ServerName {
  return place in SERVER_URLS
}

/** Set by test/run.ts: the places of this run, separated by commas. */
export const TEST_ON = 'TEST_ON'

/**
 * Whether this run includes a place. A test file that is run without test/run.ts runs over memory, in the browser, and
 * on each server whose URL is set.
 */
export function runsOn(place: Place): boolean {
  const chosen = process.env[TEST_ON]
  if (chosen !== undefined) return chosen.split(',').includes(place)
  return !isServer(place) || Boolean(process.env[SERVER_URLS[place]])
}

/** The URL of a server of this run; undefined when the run leaves it out. Throws rather than skip a server silently. */
export function urlOf(name: ServerName): string | undefined {
  if (!runsOn(name)) return undefined
  const url = process.env[SERVER_URLS[name]]
  if (!url) throw new Error(`${TEST_ON} names ${name}, and ${SERVER_URLS[name]} is not set: npm run test:all starts the server`)
  return url
}

const EVERY_STORE: readonly Place[] = ['memory', ...SERVER_NAMES]

/** What a suite needs when it imports one of these from test/support or test/servers. */
const NEEDS: Readonly<Record<string, readonly Place[]>> = {
  everywhere: EVERY_STORE,
  settings: EVERY_STORE,
  stores: EVERY_STORE,
  sharedStores: SERVER_NAMES,
  RedisProcess: ['redis'],
  startCluster: ['redis-cluster'],
  launchBrowser: ['browser'],
}

/** The places where a test file has tests, read from its text; memory when it names no other. */
export function placesOf(source: string): readonly Place[] {
  const imports = [...source.matchAll(/^import \{([^}]*)\} from '\.{1,2}\/(?:support|servers)\//gm)]
  const imported = imports.flatMap(([, names = '']) => names.split(',').map(name => name.trim()))
  const named = [...source.matchAll(/\b(?:runsOn|urlOf)\('([\w-]+)'\)/g)].map(([, place]) => place)
  const places = new Set([...imported.flatMap(name => NEEDS[name] ?? []), ...named])
  return places.size === 0 ? ['memory'] : PLACES.filter(place => places.has(place))
}

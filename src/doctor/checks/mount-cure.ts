import type { Probe } from '../probe.ts'

/** How many segments of a path are tried as a prefix. */
const MAX_DEPTH = 3

/**
 * Says what to change where no metadata are served. The prefix that a proxy removes, or below which the router is mounted, is
 * found by looking for the metadata below each part of the guarded URL's path.
 */
export async function mountCure(url: string, probe: Probe): Promise<string> {
  const { origin, pathname } = new URL(url)
  const segments = pathname.split('/').filter(segment => segment !== '')
  const prefixes = segments.map((_segment, index) => `/${segments.slice(0, index + 1).join('/')}`).slice(0, MAX_DEPTH)
  for (const prefix of prefixes) {
    const { json, status } = await probe.send(`${origin}${prefix}/.well-known/oauth-authorization-server`)
    if (status !== 200 || typeof json?.issuer !== 'string' || json.issuer.endsWith(prefix)) continue
    return `authmount answers below ${prefix} and does not know it. If a proxy removes that prefix, set proxyPath: '${prefix}' and issuer: '${origin}${prefix}', and let the proxy pass on ${origin}/.well-known/oauth-* as they are; if the router is mounted there, mount it without a path and set mountPath: '${prefix}'.`
  }
  return 'Mount authmount at the root of the app, before every catch-all and 404 handler (app.use(authmountRouter(authmount)) without a path), and let the proxy pass on /.well-known/. A path in front of its routes is set by mountPath; one that the proxy removes by proxyPath.'
}

import type { TestHost } from './host.ts'

/**
 * Signs a user in at a relying party as their browser would: its `/login`, our server, the decision if one is asked for,
 * and back.
 * Answers what the relying party said in the end. `back` may spoil the address the browser is sent back to.
 */
export async function signInAt(
  relyingParty: string,
  host: TestHost,
  {
    consent = 'granted',
    user = 'anna',
    back = () => {},
  }: { readonly user?: string; readonly consent?: 'granted' | 'denied'; readonly back?: (address: URL) => void } = {},
): Promise<Response> {
  const sent = await fetch(`${relyingParty}/login`, { redirect: 'manual' })
  const cookie = sent.headers
    .getSetCookie()
    .map(line => line.split(';')[0])
    .join('; ')
  const { pathname, search } = new URL(sent.headers.get('location') ?? '')
  const screen = await host.browse(pathname + search, user)
  const { location } = screen.params.consent_id === undefined ? screen : await host.decide(screen, consent, user)
  if (!location) throw new Error(`not sent back: ${screen.status} ${screen.text}`)
  back(location)
  return fetch(location, { redirect: 'manual', headers: { cookie } })
}

/** An authorization server over HTTP, and a verifier of its tokens in another service. */
import { memoryStore } from 'authmount/stores/memory'
import { createVerifier, type Verifier, type VerifierOptions } from 'authmount/verify'
import type { TestApp } from './client.ts'
import { frameworks, type HostOptions, startHost, type TestHost } from './host.ts'
import { SIGN_IN } from './sign-in.ts'

export const ISSUER = 'https://issuer.example'
export const API = 'https://api.example'
const [mount] = Object.values(frameworks)
if (!mount) throw new Error('no framework')
export const express = mount

interface Setting {
  readonly host: TestHost
  readonly verifier: Verifier
  /** The paths that were asked for. */
  readonly asked: string[]
  readonly network: Network
  /** The warnings that the verifier has logged, and the messages of its errors. */
  readonly warned: string[]
  readonly errors: string[]
  readonly now: () => number
  /** Starts another process of the server on the same data and the same clock, to which the network leads from then on. */
  readonly replace: (options?: HostOptions) => Promise<TestHost>
}

/** What stands in for the network between the two. */
export interface Network {
  host: TestHost
  down: boolean
  /** Nothing is answered, until the caller gives up. */
  hanging: boolean
  /** A request waits for it before it is sent. */
  gate: Promise<unknown>
}

export async function start(
  format: 'opaque' | 'jwt',
  options: Partial<VerifierOptions> = {},
  hostOptions: HostOptions = {},
): Promise<Setting> {
  const store = memoryStore()
  const resources = { ...SIGN_IN, accessTokenFormat: format, resources: [API, `${ISSUER}/mcp`], ...hostOptions, store }
  const before = await startHost(mount as never, resources)
  const server = await before.confidentialApp({ name: 'Resource server', allowedGrantTypes: ['client_credentials'] })
  await before.close()
  const known = { ...resources, resourceServers: { [server.clientId]: [API] } }
  const host = await startHost(express, known)
  const asked: string[] = []
  const warned: string[] = []
  const errors: string[] = []
  const network: Network = { host, down: false, hanging: false, gate: Promise.resolve() }
  const closing = [host.close]
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: API,
    introspection: { clientId: server.clientId, clientSecret: server.clientSecret ?? '' },
    now: host.clock.now,
    log: { error: message => errors.push(message), warn: message => warned.push(message) },
    // Where the issuer's name leads is not where the tests can go.
    fetch: async (url, init) => {
      asked.push(new URL(String(url)).pathname)
      await network.gate
      if (network.hanging) {
        // What keeps the process alive meanwhile is the request, as it would be.
        const alive = setInterval(() => {}, 1000)
        await new Promise(resolve => init?.signal?.addEventListener('abort', resolve))
        clearInterval(alive)
        throw init?.signal?.reason
      }
      if (network.down) throw new TypeError('no network')
      return fetch(new URL(new URL(String(url)).pathname, network.host.url), init)
    },
    ...options,
  })
  const replace = async (changed: HostOptions = {}) => {
    const next = await startHost(express, { ...known, now: host.clock.now, ...changed })
    closing.push(next.close)
    network.host = next
    return next
  }
  const close = async () => {
    await Promise.all(closing.map(one => one()))
  }
  return { host: Object.assign(host, { close }), verifier, asked, network, warned, errors, now: host.clock.now, replace }
}

/** A clock for the verifier that only the test moves, so that nothing depends on how busy the machine is. */
export function stoppedClock(): { readonly now: () => number; readonly advance: (seconds: number) => void } {
  let at = Date.now()
  return {
    now: () => at,
    advance: seconds => {
      at += seconds * 1000
    },
  }
}

/** Holds requests back until `open` is called. */
export function closeGate(network: Network): { readonly open: () => void } {
  let open = () => {}
  network.gate = new Promise<void>(resolve => {
    open = resolve
  })
  return { open: () => open() }
}

/** The user of a token, or the error code with which it is refused. */
export function outcome(verifier: Verifier, token: string, scopes: readonly string[] = []): Promise<unknown> {
  return verifier.verify(token, { scopes }).then(
    ({ userId }) => userId,
    error => error.code,
  )
}

/** A token as `good`, but with a header that names another key. */
export function withKid(good: string, kid: string): string {
  const [, payload, signature] = good.split('.')
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid })).toString('base64url')
  return `${header}.${payload}.${signature}`
}

/** As many tokens of one app as are wanted. */
export async function tokensOf(host: TestHost, app: TestApp, count: number): Promise<readonly string[]> {
  const made: string[] = []
  while (made.length < count) made.push((await host.tokens(app)).access)
  return made
}

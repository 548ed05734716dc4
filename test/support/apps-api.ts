import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Answer } from './client.ts'
import type { HostOptions, TestHost } from './host.ts'

/** A host whose limit is out of the way of a test of something else. */
export const UNLIMITED: HostOptions = { rateLimiter: limit => new RateLimiterMemory({ ...limit, points: 1_000_000 }) }

export const NEW_APP = {
  name: 'My Integration App',
  redirectUris: ['https://app.example/cb', 'http://localhost:3000/callback'],
  allowedScopes: ['read:records', 'write:records'],
}

/** A request to /oauth-clients with the host's own bearer token of a user. */
export function api(
  host: TestHost,
  method: string,
  path: string,
  { user = 'anna', body }: { user?: string | null; body?: unknown } = {},
): Promise<Answer> {
  return host.send(`${host.authmount.mountPath}/oauth-clients${path}`, {
    method,
    headers: {
      ...(user === null ? {} : { authorization: `Bearer host-${user}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
}

export interface CreatedApp {
  readonly id: string
  readonly clientId: string
  readonly clientSecret: string
}

export async function createApp(host: TestHost, fields: object = {}, user = 'anna'): Promise<CreatedApp> {
  const { body, status, text } = await api(host, 'POST', '', { user, body: { ...NEW_APP, ...fields } })
  if (status !== 201) throw new Error(`not created: ${status} ${text}`)
  return { id: String(body.id), clientId: String(body.clientId), clientSecret: String(body.clientSecret) }
}

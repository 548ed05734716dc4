import type { Answer } from './client.ts'
import type { TestHost } from './host.ts'

/** POST /oauth/register with this body, and headers beside the media type. */
export function register(host: TestHost, metadata: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return host.send('/oauth/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(metadata),
  })
}

import type { TestApp } from './client.ts'
import type { TestHost } from './host.ts'

export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

/** An app of a terminal, which has no address of its own. */
export function deviceApp(host: TestHost, fields: Parameters<TestHost['publicApp']>[0] = {}): Promise<TestApp> {
  return host.publicApp({ name: 'Terminal', allowedGrantTypes: [DEVICE_CODE, 'refresh_token'], redirectUris: [], ...fields })
}

/** A user's browser opens the address that the device shows, and answers on the page. */
export async function answerDevice(host: TestHost, address: string, consent = 'granted', user = 'anna'): Promise<number> {
  const { pathname, search } = new URL(address)
  const headers = { accept: 'text/html' }
  const { text } = await host.browse(pathname + search, user, { headers })
  const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(text)?.[1] ?? ''
  const body = new URLSearchParams({ form_id: field('form_id'), user_code: field('user_code'), consent })
  return (await host.browse(pathname, user, { method: 'POST', body, headers })).status
}

import { createServer } from 'node:net'

/* HTTP that is printed, request and answer: what the demos show. */

/** A request as a browser makes it, up to the redirect it is answered with. */
export async function browse(url: URL, init: RequestInit = {}): Promise<URL> {
  const response = await printed(url, { redirect: 'manual', ...init })
  const location = response.headers.get('location')
  if (location === null) throw new Error(`${url.pathname} answered ${response.status} without a redirect`)
  return new URL(location, url)
}

export async function printed(url: string | URL, init: object = {}): Promise<Response> {
  const request = new Request(url, init)
  const sent = await request.clone().text()
  console.log(`\n→ ${request.method} ${request.url}${sent && `\n  ${sent}`}`)
  const response = await fetch(request)
  const body = response.headers.get('content-type')?.startsWith('text/html') ? '(a page)' : await response.clone().text()
  const location = response.headers.get('location')
  console.log(`← ${response.status}${location === null ? '' : ` to ${location}`}${body && `\n  ${body}`}`)
  return response
}

export function heading(text: string): void {
  console.log(`\n── ${text} ──`)
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => probe.once('listening', resolve))
  const address = probe.address()
  await new Promise(resolve => probe.close(resolve))
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Host, User } from './types.ts'

/** A page or a file, as either framework can send it. */
export interface Served {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | string
}

/** What the playground may do: run its own scripts, and ask its own server. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** By this the page knows that what it remembers is of this run of the host. */
const RUN = randomUUID()

/** The page on which a person goes through the flow, for whoever is signed in. */
export async function playgroundPage({ graceSeconds, issuer, user }: Omit<Host, 'run'>): Promise<Served> {
  const host: Host = { issuer, user: user && whoIs(user), graceSeconds, run: RUN }
  const text = await readFile(new URL('playground.html', import.meta.url), 'utf8')
  const body = text
    .replace('{{host}}', () => escapeHtml(JSON.stringify(host)))
    .replace('{{grace}}', `${graceSeconds} second${graceSeconds === 1 ? '' : 's'}`)
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': POLICY,
    'referrer-policy': 'same-origin',
    // It says who is signed in.
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  return { headers, body }
}

/** What a user may know of themselves: what else the host keeps of them stays with it. */
export function whoIs({ id, isAdmin, name, orgId }: User): User {
  return { id, name, orgId, isAdmin }
}

/** One of the page's scripts, its style or its picture; null: there is none of that name. */
export async function playgroundFile(name: string): Promise<Served | null> {
  const [, extension = ''] = /^[a-z-]+\.(js|css|svg)$/.exec(name) ?? []
  const type = TYPES[extension]
  if (type === undefined) return null
  const body = await readFile(new URL(name, import.meta.url)).catch(() => null)
  if (body === null) return null
  return { headers: { 'content-type': type, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' }, body }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { appIdOf } from '../../src/base/ids.ts'
import { READS_HERE, startDocuments } from '../support/documents.ts'
import { everyFramework } from '../support/everywhere.ts'
import { SCOPES } from '../support/host.ts'
import { register } from '../support/registrations.ts'

/** What clients that are in use today send to register, publish about themselves and ask for. */
interface Corpus {
  readonly registrations: readonly {
    readonly name: string
    readonly sent: Readonly<Record<string, unknown>>
    readonly status: number
    readonly answered?: readonly string[]
    readonly absent?: readonly string[]
    readonly error?: string
  }[]
  readonly documents: readonly {
    readonly name: string
    readonly url: string
    readonly document: Readonly<Record<string, unknown>> | null
    readonly accepted: boolean
    readonly http?: { readonly status: number; readonly content_type: string }
    readonly effective?: Readonly<Record<string, unknown>>
  }[]
  readonly authorizations: readonly {
    readonly name: string
    readonly sent: Readonly<Record<string, string>>
    readonly accepted: boolean
  }[]
}

const corpus: Corpus = JSON.parse(readFileSync(join(import.meta.dirname, 'corpus.json'), 'utf8'))
const documents = await startDocuments()
const MCP = { 'mcp:read': { description: 'Read' }, mcp: { description: 'Use the tools' } }
const OPTIONS = {
  ...READS_HERE,
  scopes: { ...SCOPES, ...MCP },
  clients: { registration: 'open' },
  resources: [...new Set(corpus.authorizations.flatMap(({ sent }) => sent.resource ?? []))],
  rateLimits: { documents: false, screens: false, registrations: false },
} as const

everyFramework(
  'every registration that clients send is answered as they need it',
  async (t, host) => {
    for (const { absent = [], answered = [], error, name, sent, status } of corpus.registrations) {
      const { body, status: got } = await register(host, sent)
      t.equal(got, status, `${name}: ${body.error_description ?? ''}`)
      if (error !== undefined) t.equal(body.error, error, name)
      for (const member of answered) t.ok(member in body || isLeftOut(member, sent), `${name}: ${member}`)
      for (const member of absent) t.notOk(member in body, `${name}: no ${member}`)
      if (got !== 201) continue
      t.strictSame(body.redirect_uris, sent.redirect_uris, `${name}: byte for byte`)
      if (sent.token_endpoint_auth_method) t.equal(body.token_endpoint_auth_method, sent.token_endpoint_auth_method, name)
      t.notOk(
        Object.values(body).some(value => value === null || value === ''),
        `${name}: nothing empty`,
      )
      t.equal('client_secret' in body, 'client_secret_expires_at' in body, name)
    }
  },
  OPTIONS,
)

/** A scope is repeated where this server has it. */
function isLeftOut(member: string, { scope }: Readonly<Record<string, unknown>>): boolean {
  return member === 'scope' && typeof scope === 'string' && !scope.split(' ').some(name => name in MCP)
}

everyFramework(
  'every document that clients publish is read as they mean it',
  async (t, host) => {
    for (const { accepted, document, effective, http, name, url } of corpus.documents) {
      const { host: at, pathname } = new URL(url)
      const path = `/${at}${pathname}`
      const here = `${documents.origin}${path}`
      const text = document === null ? '<h1>Not here</h1>' : JSON.stringify(document).replaceAll(`"${url}"`, `"${here}"`)
      documents.answer(path, (_request, response) =>
        response.writeHead(http?.status ?? 200, { 'content-type': http?.content_type ?? 'application/json' }).end(text),
      )
      const redirects = (document?.redirect_uris as readonly string[] | undefined) ?? ['https://agent.example/cb']
      for (const redirect_uri of redirects) {
        const answer = await host.authorize({ clientId: here, clientSecret: null }, { redirect_uri })
        t.equal(answer.params.consent_id !== undefined, accepted, `${name}, ${redirect_uri}: ${answer.text}`)
      }
      const app = await host.store.apps.get(appIdOf(here))
      if (accepted) {
        t.equal(app?.authMethod, document?.token_endpoint_auth_method ?? 'none', `${name}: in the way it prefers`)
        t.equal(app?.keys && 'jwksUri' in app.keys ? app.keys.jwksUri : undefined, document?.jwks_uri, `${name}: with its keys`)
      }
      if (effective?.grant_types) t.strictSame(app?.grantTypes, effective.grant_types, name)
      if (effective?.application_type) t.equal(app?.metadata?.application_type, effective.application_type, name)
    }
  },
  OPTIONS,
)

everyFramework(
  'every authorization request that clients send comes back with what they sent',
  async (t, host) => {
    for (const { accepted, name, sent } of corpus.authorizations) {
      const redirectUri = String(sent.redirect_uri)
      const registered = accepted ? redirectUri : `${redirectUri}/`
      const { body } = await register(host, { redirect_uris: [registered], token_endpoint_auth_method: 'none' })
      const query = new URLSearchParams({ ...sent, client_id: String(body.client_id) })
      const screen = await host.browse(`/oauth/authorize?${query}`, 'anna')
      if (!accepted) {
        t.equal(screen.status, 400, name)
        continue
      }
      if (!screen.params.consent_id) {
        // Of scopes that this server does not have, it says so where the client listens.
        t.match(screen.params, { error: 'invalid_scope' }, name)
        t.equal(screen.params.state, sent.state, name)
        continue
      }
      const { headers, params } = await host.decide(screen)
      t.match(params, { code: /^am_ac_/ }, name)
      t.equal(params.state, sent.state, `${name}: its state`)
      t.ok(headers.get('location')?.startsWith(redirectUri), `${name}: to its address, as it stands`)
    }
  },
  OPTIONS,
)

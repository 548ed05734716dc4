/** Clients of the Model Context Protocol reach a server of it on a host of ours: they know its address and an app's id, no more. */
import * as v2 from '@modelcontextprotocol/client'
import { type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { ClientCredentialsProvider, PrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthClientInformation, OAuthClientMetadata, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { atIssuer, type MountAtIssuer } from '../support/at-issuer.ts'
import type { TestApp } from '../support/client.ts'
import { newClientKey, withKeys } from '../support/client-keys.ts'
import { READS_HERE, startDocuments } from '../support/documents.ts'
import type { HostOptions } from '../support/host.ts'
import { mcpMounts } from '../support/mcp.ts'
import { runsOn, urlOf } from '../support/places.ts'
import { type Connect, connectMemory, connectRedis } from '../support/stores.ts'
import { UserAgent } from '../support/user-agent.ts'

const CALLBACK = 'http://127.0.0.1/callback'
const CLIENT = { name: 'client of the tests', version: '1.0.0' }

const documents = await startDocuments()

/** Hosts that serve the protocol at /mcp, to those who may read records. */
const mounts: Readonly<Record<string, MountAtIssuer>> = Object.fromEntries(
  ['express', 'fastify', 'node:http'].map(name => [
    name,
    (authmount, issuer) => {
      const mount = mcpMounts[name]
      if (!mount) throw new Error(`there is no ${name}`)
      return mount({ authmount }, `${issuer}/mcp`)
    },
  ]),
)

const redis = urlOf('redis')
const stores: Readonly<Record<string, Connect>> = {
  ...(runsOn('memory') && { memory: connectMemory }),
  ...(redis !== undefined && { redis: connectRedis(redis) }),
}

const options = (issuer: string): HostOptions => ({ resources: [`${issuer}/mcp`] })

const clients = {
  '@modelcontextprotocol/sdk': async (url: URL, authProvider: OAuthClientProvider) => {
    const client = new Client(CLIENT)
    const transport = new StreamableHTTPClientTransport(url, { authProvider })
    return {
      connect: () => client.connect(transport as Parameters<Client['connect']>[0]),
      unauthorized: UnauthorizedError,
      finish: (back: URL) => transport.finishAuth(back.searchParams.get('code') ?? ''),
      call: (name = 'whose') => client.callTool({ name }),
      close: () => client.close(),
    }
  },
  '@modelcontextprotocol/client': async (url: URL, authProvider: v2.OAuthClientProvider) => {
    const client = new v2.Client(CLIENT)
    const transport = new v2.StreamableHTTPClientTransport(url, { authProvider })
    return {
      connect: () => client.connect(transport),
      unauthorized: v2.UnauthorizedError,
      finish: (back: URL) => transport.finishAuth(back.searchParams),
      call: (name = 'whose') => client.callTool({ name }),
      close: () => client.close(),
    }
  },
}

for (const [name, start] of Object.entries(clients)) {
  for (const isConfidential of [true, false]) {
    atIssuer(
      `${name} gets in, and stays in, by an app that is ${isConfidential ? 'confidential' : 'public'}`,
      async (t, host, issuer) => {
        const app = await host.confidentialApp({ isConfidential, redirectUris: [CALLBACK], allowedScopes: ['read:records'] })
        const provider = new Provider(app)
        const url = new URL(`${issuer}/mcp`)
        const first = await start(url, provider)
        const refused: unknown = await first.connect().catch(error => error)
        t.ok(refused instanceof first.unauthorized, String(refused))
        t.equal(provider.sentTo?.searchParams.get('scope'), 'read:records')
        t.equal(provider.sentTo?.searchParams.get('state'), null)

        const back = await agree(issuer, provider)
        await first.finish(back)
        const second = await start(url, provider)
        await second.connect()
        t.match(await second.call(), { content: [{ type: 'text', text: 'anna' }] })

        // An hour later.
        const { access_token, refresh_token } = provider.tokens() ?? {}
        host.clock.advance(3_601)
        t.match(await second.call(), { content: [{ type: 'text', text: 'anna' }] })
        t.not(provider.tokens()?.access_token, access_token)
        t.not(provider.tokens()?.refresh_token, refresh_token)

        // The user ends it: the refresh token is dead, and the client asks again.
        await host.authmount.endUserGrants('anna')
        const dead: unknown = await second.call().catch(error => error)
        t.ok(dead instanceof second.unauthorized, String(dead))
        t.equal(provider.tokens(), undefined)
        await second.close()
      },
      options,
      mounts,
      stores,
    )
  }
}

atIssuer(
  'a tool that needs more has the user asked for it, and what was granted stays',
  async (t, host, issuer) => {
    const app = await host.publicApp({ redirectUris: [CALLBACK], allowedScopes: ['read:records', 'write:records'] })
    const url = new URL(`${issuer}/mcp`)
    for (const [name, start] of Object.entries(clients)) {
      const provider = new Provider(app)
      const first = await start(url, provider)
      await first.connect().catch(() => {})
      await first.finish(await agree(issuer, provider))
      const second = await start(url, provider)
      await second.connect()
      t.equal(provider.tokens()?.scope, 'read:records', name)
      const refused: unknown = await second.call('change').catch(error => error)
      t.match(await second.call(), { content: [{ text: 'anna' }] }, `${name}: what it had is good still`)
      if (name === '@modelcontextprotocol/sdk') {
        // Version 1 refreshes, which gives it no more, and gives up.
        t.match(String(refused), '403')
        await second.close()
        continue
      }
      t.ok(refused instanceof second.unauthorized, String(refused))
      t.equal(provider.sentTo?.searchParams.get('scope'), 'read:records write:records')
      await second.finish(await agree(issuer, provider))
      t.equal(provider.tokens()?.scope, 'read:records write:records')
      t.match(await second.call('change'), { content: [{ text: 'changed' }] })
      t.match(await second.call(), { content: [{ text: 'anna' }] })
      await second.close()
    }
  },
  options,
  mounts,
  stores,
)

atIssuer(
  'an agent without a user gets in by its client credentials',
  async (t, host, issuer) => {
    const { clientId, clientSecret } = await host.confidentialApp({ allowedGrantTypes: ['client_credentials'], redirectUris: [] })
    const credentials = { clientId, clientSecret: clientSecret ?? '' }
    const url = new URL(`${issuer}/mcp`)
    for (const agent of [
      await clients['@modelcontextprotocol/sdk'](url, new ClientCredentialsProvider(credentials)),
      await clients['@modelcontextprotocol/client'](url, new v2.ClientCredentialsProvider(credentials)),
    ]) {
      await agent.connect()
      t.match(await agent.call(), { content: [{ type: 'text', text: 'null' }] })
      await agent.close()
    }
  },
  options,
  mounts,
  stores,
)

atIssuer(
  'an agent without a user gets in by its key',
  async (t, host, issuer) => {
    const key = newClientKey('ES256')
    const grants = { allowedGrantTypes: ['client_credentials'], redirectUris: [] }
    const { clientId } = await host.confidentialApp({ ...grants, ...withKeys(key) })
    const privateKey = { ...key.privateKey.export({ format: 'jwk' }), kty: 'EC' }
    const provided = { clientId, privateKey, algorithm: 'ES256', expectedIssuer: issuer }
    const url = new URL(`${issuer}/mcp`)
    for (const agent of [
      await clients['@modelcontextprotocol/sdk'](url, new PrivateKeyJwtProvider(provided)),
      await clients['@modelcontextprotocol/client'](url, new v2.PrivateKeyJwtProvider(provided)),
    ]) {
      await agent.connect()
      t.match(await agent.call(), { content: [{ type: 'text', text: 'null' }] })
      await agent.close()
    }
  },
  options,
  mounts,
)

/** The ways in which a client that nobody registered is known. */
const unaided = {
  'its document': () => {
    const grants = { grant_types: ['authorization_code', 'refresh_token'] }
    const document = { client_name: 'Agent', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', ...grants }
    return new Provider(undefined, documents.publish('/agent.json', document))
  },
  registration: () => new Provider(undefined),
}

for (const [way, provide] of Object.entries(unaided)) {
  atIssuer(
    `a client that nobody registered connects by ${way}, and is given more when a tool needs it`,
    async (t, host, issuer) => {
      const url = new URL(`${issuer}/mcp`)
      for (const [name, start] of Object.entries(clients)) {
        const provider = provide()
        const first = await start(url, provider)
        const refused: unknown = await first.connect().catch(error => error)
        t.ok(refused instanceof first.unauthorized, String(refused))
        t.match(provider.sentTo?.searchParams.get('scope'), /^read:records( offline_access)?$/)
        await first.finish(await agree(issuer, provider))
        const second = await start(url, provider)
        await second.connect()
        t.match(await second.call(), { content: [{ text: 'anna' }] }, name)
        if (name === '@modelcontextprotocol/client') {
          await second.call('change').catch(() => {})
          await second.finish(await agree(issuer, provider))
          t.match(await second.call('change'), { content: [{ text: 'changed' }] })
        }
        host.clock.advance(3_601)
        t.match(await second.call(), { content: [{ text: 'anna' }] }, `${name}, an hour later`)
        await second.close()
      }
    },
    issuer => ({ ...options(issuer), ...READS_HERE, clients: { registration: 'open' } }),
    mounts,
    stores,
  )
}

/** The browser, up to the address that is the client's own. */
async function agree(issuer: string, { sentTo }: Provider): Promise<URL> {
  const browser = new UserAgent(issuer)
  const screen = await browser.request(String(sentTo))
  const consentId = new URL(screen.headers.get('location') ?? '', issuer).searchParams.get('consent_id') ?? ''
  const body = new URLSearchParams({ consent_id: consentId, consent: 'granted' })
  const answer = await browser.request(`${issuer}/oauth/authorize`, { method: 'POST', body })
  return new URL(answer.headers.get('location') ?? '')
}

/** What the libraries want of a client, and nothing that is optional. */
class Provider {
  readonly redirectUrl = CALLBACK
  readonly clientMetadata: OAuthClientMetadata
  sentTo: URL | undefined
  readonly clientMetadataUrl?: string
  #client: OAuthClientInformation | undefined
  #tokens: OAuthTokens | undefined
  #verifier = ''

  /** Of an app that was registered; of one that has a document at this URL; or of one that registers itself. */
  constructor(app: TestApp | undefined, documentUrl?: string) {
    // A client that says it refreshes asks for `offline_access`, too.
    const grants = { grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'none' }
    this.clientMetadata = { client_name: 'Client of the tests', redirect_uris: [CALLBACK], ...(!app && grants) }
    if (app) this.#client = { client_id: app.clientId, ...(app.clientSecret !== null && { client_secret: app.clientSecret }) }
    if (documentUrl !== undefined) this.clientMetadataUrl = documentUrl
  }

  clientInformation(): OAuthClientInformation | undefined {
    return this.#client
  }

  saveClientInformation(client: OAuthClientInformation): void {
    this.#client = client
  }

  tokens(): OAuthTokens | undefined {
    return this.#tokens
  }

  saveTokens(tokens: OAuthTokens): void {
    this.#tokens = tokens
  }

  redirectToAuthorization(url: URL): void {
    this.sentTo = url
  }

  invalidateCredentials(scope: string): void {
    if (scope === 'tokens') this.#tokens = undefined
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }

  codeVerifier(): string {
    return this.#verifier
  }
}

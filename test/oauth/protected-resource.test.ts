/** From a 401 to the server: protected-resource metadata (RFC 9728). */
import { createAuthmount } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import * as oauth from 'oauth4webapi'
import { everywhere, overMemory } from '../support/everywhere.ts'
import { SCOPES } from '../support/host.ts'

const AT = 'https://issuer.example/.well-known/oauth-protected-resource'

everywhere('a 401 names the document that says who issues tokens', async (t, host) => {
  const refused = await fetch(`${host.url}/records`)
  const challenges = refused.headers.get('www-authenticate') ?? ''
  t.equal(challenges, `Bearer realm="https://issuer.example", resource_metadata="${AT}", scope="read:records"`)
  const wrong = await host.send('/records', { headers: { authorization: 'Bearer nonsense' } })
  t.match(wrong.headers.get('www-authenticate'), `resource_metadata="${AT}", error="invalid_token"`)

  const response = await fetch(`${host.url}${new URL(AT).pathname}`)
  t.equal(response.headers.get('access-control-allow-origin'), '*')
  const document = await oauth.processResourceDiscoveryResponse(new URL('https://issuer.example'), response)
  t.strictSame(document.authorization_servers, ['https://issuer.example'])
  t.strictSame(
    document.scopes_supported,
    Object.keys(SCOPES).filter(name => name !== 'profile'),
  )
  t.strictSame(document.bearer_methods_supported, ['header'])
})

everywhere(
  'each of a host’s resources has its document, and may be asked for',
  async (t, host) => {
    const first = await fetch(`${host.url}/records`)
    t.match(first.headers.get('www-authenticate'), `resource_metadata="${AT}/mcp"`)
    for (const path of ['/mcp', '/api/v2/']) {
      const response = await fetch(`${host.url}/.well-known/oauth-protected-resource${path}`)
      const document = await oauth.processResourceDiscoveryResponse(new URL(`https://issuer.example${path}`), response)
      t.equal(document.resource, `https://issuer.example${path}`)
    }
    t.equal((await fetch(`${host.url}/.well-known/oauth-protected-resource/other`)).status, 404)
    t.equal((await fetch(`${host.url}/.well-known/oauth-protected-resource/elsewhere`)).status, 404, 'another server tells that')
    const app = await host.confidentialApp()
    t.ok((await host.authorize(app, { resource: 'https://api.example/elsewhere' })).params.consent_id)
    t.equal((await host.authorize(app, { resource: 'https://evil.example/' })).params.error, 'invalid_target')
  },
  { resources: ['https://issuer.example/mcp', 'https://issuer.example/api/v2/', 'https://api.example/elsewhere'] },
)

overMemory('a resource that makes no sense is refused where it is said', async t => {
  const options = { issuer: 'https://a.example', store: memoryStore(), authenticate: () => null, scopes: SCOPES }
  for (const resources of [
    [],
    ['/mcp'],
    ['https://a.example/?x'],
    ['https://a.example/#f'],
    ['ftp://a.example/'],
    'https://a.example',
  ])
    t.throws(() => createAuthmount({ ...options, resources: resources as string[] }), { name: 'OptionsError' })
  const { guard } = createAuthmount({ ...options, resources: ['https://a.example/mcp'] })
  t.doesNotThrow(() => guard({ resource: 'https://a.example/mcp' }))
  t.throws(() => guard({ resource: 'https://a.example/other' }), TypeError)
})

import { everywhere, overMemory } from '../support/everywhere.ts'
import { frameworks, mounts, startHost } from '../support/host.ts'

/** The algorithms of client assertions. */
const SIGNED = ['PS256', 'ES256', 'EdDSA', 'Ed25519', 'RS256']

everywhere('the metadata says what works, and all it names is there', async (t, host) => {
  const { body, headers } = await host.send('/.well-known/oauth-authorization-server', {
    headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
  })
  t.strictSame(body, {
    issuer: 'https://issuer.example',
    authorization_endpoint: 'https://issuer.example/oauth/authorize',
    token_endpoint: 'https://issuer.example/oauth/token',
    revocation_endpoint: 'https://issuer.example/oauth/revoke',
    introspection_endpoint: 'https://issuer.example/oauth/introspect',
    pushed_authorization_request_endpoint: 'https://issuer.example/oauth/par',
    require_pushed_authorization_requests: false,
    scopes_supported: ['read:records', 'write:records', 'profile', 'offline_access'],
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    token_endpoint_auth_signing_alg_values_supported: SIGNED,
    revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: SIGNED,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    introspection_endpoint_auth_signing_alg_values_supported: SIGNED,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  })
  t.match(headers.get('cache-control'), /^public, max-age=300$/)
  t.equal(headers.get('access-control-allow-origin'), '*')
  for (const [name, url] of Object.entries(body)) {
    if (!name.endsWith('_endpoint')) continue
    const method = name === 'authorization_endpoint' ? 'GET' : 'POST'
    const { status } = await host.send(new URL(String(url)).pathname, { method })
    t.not(status, 404, name)
    t.not(status, 405, name)
  }
  t.strictSame((await host.send('/.well-known/openid-configuration')).body, body)
  const head = await host.send('/.well-known/openid-configuration', { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.text, '')
})

for (const [framework, mount] of Object.entries(frameworks)) {
  overMemory(`${framework}: documents stand wherever a client may look, for an issuer with a path and a mount path`, async t => {
    const host = await startHost(mount, { issuer: 'https://issuer.example/tenant', mountPath: '/api/v1' })
    t.teardown(host.close)
    for (const name of ['openid-configuration', 'oauth-authorization-server']) {
      const document = `/.well-known/${name}`
      for (const path of [document, `${document}/tenant`, `/tenant${document}`, `${document}/api/v1`, `/api/v1${document}`]) {
        const { body, status } = await host.send(path)
        t.equal(status, 200, path)
        t.equal(body.issuer, 'https://issuer.example/tenant', path)
        t.equal(body.token_endpoint, 'https://issuer.example/api/v1/oauth/token', path)
      }
    }
    t.equal((await host.send('/oauth/token', { method: 'POST' })).status, 404)
  })
}

overMemory('express: mounted below its mount path, the server says that the root documents are missing', async t => {
  const mount = mounts['express, below its mount path']
  if (!mount) throw new Error('no such mount')
  const host = await startHost(mount, { mountPath: '/api/v1' })
  t.teardown(host.close)
  t.equal((await host.send('/api/v1/.well-known/openid-configuration')).status, 200)
  t.match(JSON.stringify(host.logged), /mounted below \/api\/v1: the \/\.well-known documents are not served at the root/)
})

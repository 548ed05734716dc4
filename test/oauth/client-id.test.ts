/** An app may be called otherwise on the wire than it is in the store: one name, everywhere, and no way round it. */
import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import type { TestApp } from '../support/client.ts'
import { everywhere } from '../support/everywhere.ts'
import type { TestHost } from '../support/host.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const URL_ID = 'https://client.example/app'
const digestOf = (clientId: string) => createHash('sha256').update(clientId).digest('hex').slice(0, 24)

/** Gives an app another name, as host code or an import does. */
async function named(host: TestHost, clientId: string, id = digestOf(clientId)): Promise<TestApp & { readonly id: string }> {
  const app = await host.confidentialApp({ allowedScopes: ['openid', 'read:records'] })
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  await host.store.apps.save({ ...stored, id, clientId, version: 1 })
  return { ...app, clientId, id }
}

everywhere(
  'an app with a name of its own is known by it in every answer, token, event and hook',
  async (t, host) => {
    const app = await named(host, URL_ID)
    const screen = await host.authorize(app, { scope: 'openid read:records' })
    const view = await host.browse(`/oauth/consent?consent_id=${screen.params.consent_id}`, 'anna', {
      headers: { accept: 'application/json' },
    })
    t.match(view.body, { client: { client_id: URL_ID } })
    const decided = await host.decide(screen)
    const { body } = await host.redeem(app, decided.params.code ?? '')
    t.equal(decodeJwt(String(body.id_token)).aud, URL_ID)
    const { body: oauth } = await host.send('/records', { headers: { authorization: `Bearer ${body.access_token}` } })
    t.equal(oauth.clientId, URL_ID)
    t.match((await host.post('/oauth/introspect', app, { token: String(body.access_token) })).body, { client_id: URL_ID })
    const refreshed = await host.refresh(app, body.refresh_token)
    t.equal(refreshed.status, 200)

    const itself = await host.clientCredentials(app)
    const claims = (await host.post('/oauth/introspect', app, { token: String(itself.body.access_token) })).body
    t.match(claims, { sub: URL_ID, client_id: URL_ID }, 'by that, APIs tell machines from users (RFC 9068 §2.2)')

    const connected = await host.browse('/oauth/connected-apps', 'anna')
    t.match(connected.body, [{ appId: app.id, clientId: URL_ID }])
    t.match(
      await host
        .browse('/oauth-clients', 'anna')
        .then(({ body }) => body.data as { id: string; clientId: string }[])
        .then(data => data.find(({ id }) => id === app.id)),
      { clientId: URL_ID },
    )
    const gone = await host.browse(`/oauth/connected-apps/${app.id}`, 'anna', { method: 'DELETE' })
    t.equal(gone.status, 200)
    await host.post('/oauth/revoke', app, { token: String(itself.body.access_token) })
    const events = host.events.filter(event => 'clientId' in event && event.type !== 'app_created')
    t.ok(events.length >= 6)
    t.ok(events.every(event => 'clientId' in event && event.clientId === URL_ID))
    const again = await host.tokens(app, { scope: 'read:records', state: 'again' })
    t.equal(await host.authmount.endUserGrants('anna', URL_ID), 1)
    t.equal(await host.records(again.access), 401)
  },
  SIGN_IN,
)

everywhere(
  'an app is not found by its key where it has a name, nor by a name whose digest alone fits',
  async (t, host) => {
    const app = await named(host, URL_ID)
    const unknown = [app.id, `${URL_ID}/`, URL_ID.toUpperCase(), ` ${URL_ID}`, 'x'.repeat(2049), 'ü', '']
    for (const clientId of unknown) {
      const refused = await host.clientCredentials({ ...app, clientId })
      t.strictSame([refused.status, refused.body.error], [401, 'invalid_client'], clientId.slice(0, 40))
      t.equal((await host.authorize({ ...app, clientId })).status >= 400, true)
    }
    // The record under the digest of one name says another.
    const other = await named(host, 'imported client', digestOf('somebody else'))
    t.equal((await host.clientCredentials(other)).status, 401)
    t.equal((await host.clientCredentials({ ...other, clientId: 'somebody else' })).status, 401)
  },
  SIGN_IN,
)

everywhere(
  'no user who is named like an app gets a grant of it',
  async (t, host) => {
    const app = await named(host, 'bert')
    const refused = await host.authorize(app, {}, 'bert')
    const answer = refused.params.consent_id === undefined ? refused : await host.decide(refused, 'granted', 'bert')
    t.equal(answer.params.error, 'access_denied')
    t.ok(await host.approve(app), 'others do')
  },
  SIGN_IN,
)

/** The four documented operations against a provider by somebody else, and the tokens that stay fresh. */
import { ConnectorError } from 'authmount'
import type { Provider } from 'authmount/connectors'
import t from 'tap'
import { ANNA, BERT, begin, CALLBACK, comeBack, FRONT, OTHER_FRONT, withConnectors } from '../support/connectors.ts'
import { overMemory, settings } from '../support/everywhere.ts'
import { startHost } from '../support/host.ts'
import { OUTSIDE_CLIENT, startOutsideProvider } from '../support/outside-provider.ts'

for (const { name, mount, connect } of settings) {
  t.test(`${name}: an outside account is connected, used, refreshed and disconnected`, async t => {
    const outside = await startOutsideProvider([CALLBACK])
    const provider: Provider = { ...OUTSIDE_CLIENT, issuer: outside.url, scopes: ['openid', 'email', 'offline_access'] }
    const host = await startHost(mount, { connect, ...withConnectors({ 'drive:1': provider }) })
    t.teardown(async () => {
      await host.close()
      await outside.close()
    })
    const whoami = (token: string) => fetch(`${outside.url}/me`, { headers: { authorization: `Bearer ${token}` } })
    const { authmount } = host
    t.strictSame(await authmount.connectorStatus('drive:1', ANNA), {
      connected: false,
      needsReconnect: false,
      expiresAt: null,
      scopes: null,
    })
    await t.rejects(authmount.connectorToken('drive:1', ANNA), { name: 'ConnectorError', code: 'not_connected' })

    const { answer, authorizationUrl, cookie, state } = await begin(host, 'drive:1', 'anna', `?baseUrl=${OTHER_FRONT}/`)
    t.strictSame(Object.keys(answer.body).toSorted(), ['authorizationUrl', 'state', 'success'])
    t.equal(answer.body.success, true)
    t.match(
      answer.headers.get('set-cookie'),
      /^__Host-authmount-connector-[\w-]{16}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    )
    t.match(Object.fromEntries(authorizationUrl.searchParams), {
      client_id: OUTSIDE_CLIENT.clientId,
      redirect_uri: CALLBACK,
      response_type: 'code',
      code_challenge_method: 'S256',
      code_challenge: /^[\w-]{43}$/,
      nonce: String,
      scope: 'openid email offline_access',
      state,
    })
    const callback = await outside.browse(`${authorizationUrl}&prompt=consent`)
    t.equal(callback.origin + callback.pathname, CALLBACK)
    const done = await comeBack(host, Object.fromEntries(callback.searchParams), { cookie })
    t.equal(done.status, 302)
    t.equal(done.location?.href, `${OTHER_FRONT}/connectors/oauth/success?connectorId=drive%3A1`)
    t.match(done.headers.get('set-cookie'), /Max-Age=0/)
    t.match(host.events, [{ type: 'connector_connected', connectorId: 'drive:1', userId: 'anna', orgId: 'org-1' }])

    const first = await authmount.connectorToken('drive:1', ANNA)
    t.match(first, { tokenType: 'Bearer', scopes: ['openid', 'email', 'offline_access'] })
    t.equal((await whoami(first.accessToken)).status, 200)
    t.same(await authmount.connectorToken('drive:1', ANNA), first)
    t.match(await authmount.connectorStatus('drive:1', ANNA), { connected: true, needsReconnect: false })
    for (const other of [BERT, { ...ANNA, orgId: 'org-2' }])
      await t.rejects(authmount.connectorToken('drive:1', other), { code: 'not_connected' })

    host.clock.advance(3600)
    const second = await authmount.connectorToken('drive:1', ANNA)
    t.not(second.accessToken, first.accessToken)
    t.equal((await whoami(second.accessToken)).status, 200)
    t.match(second.scopes, ['openid', 'email', 'offline_access'])
    const forced = await authmount.connectorToken('drive:1', ANNA, { refused: second.accessToken })
    t.not(forced.accessToken, second.accessToken, 'the provider has said 401 to it')

    t.strictSame(await authmount.disconnect('drive:1', ANNA), { disconnected: true, revoked: true })
    t.equal((await whoami(forced.accessToken)).status, 401)
    await t.rejects(authmount.connectorToken('drive:1', ANNA), { code: 'not_connected' })
    t.strictSame(await authmount.disconnect('drive:1', ANNA), { disconnected: false, revoked: false })
    t.strictSame(
      host.events.map(({ type }) => type),
      ['connector_connected', 'connector_refreshed', 'connector_refreshed', 'connector_disconnected'],
    )
  })

  t.test(`${name}: a user who says no ends on the front end’s error page`, async t => {
    const outside = await startOutsideProvider([CALLBACK])
    const provider: Provider = { ...OUTSIDE_CLIENT, issuer: outside.url, scopes: ['openid'] }
    const host = await startHost(mount, { connect, ...withConnectors({ drive: provider }) })
    t.teardown(async () => {
      await host.close()
      await outside.close()
    })
    const { cookie, state } = await begin(host, 'drive')
    const denied = await comeBack(
      host,
      { error: 'access_denied', error_description: '<b>no</b>', state, iss: outside.url },
      { cookie },
    )
    t.equal(denied.location?.href, `${FRONT}/connectors/oauth/error?connectorId=drive&error=access_denied`)
    t.match(host.events, [{ type: 'connector_failed', error: 'access_denied' }])
  })

  t.test(`${name}: a code from Google Workspace’s own front end is redeemed for an admin`, async t => {
    const outside = await startOutsideProvider(['https://app.example/google'])
    const provider: Provider = { ...OUTSIDE_CLIENT, issuer: outside.url, scopes: ['openid', 'email'] }
    const googleWorkspace = { connectorId: 'workspace', redirectUri: 'https://app.example/google' }
    const options = withConnectors({ workspace: provider }, { googleWorkspace, ownedBy: 'organization' })
    const host = await startHost(mount, { connect, ...options })
    t.teardown(async () => {
      await host.close()
      await outside.close()
    })
    const code = await codeOf(outside, 'https://app.example/google')
    const post = (user: string, body: unknown) =>
      host.send('/connectors/getTokenFromCode', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(user === '' ? {} : { authorization: `Bearer host-${user}` }) },
        body: JSON.stringify(body),
      })
    t.equal((await post('', { code })).status, 401)
    t.equal((await post('bert', { code })).status, 403)
    for (const wrong of [{}, { code: '' }, { code: 5 }, { code, more: 1 }, []]) t.equal((await post('anna', wrong)).status, 400)
    t.equal((await post('anna', { code: 'not-a-code' })).status, 400)
    const good = await post('anna', { code })
    t.equal(good.status, 200)
    t.match(good.body, { success: true, message: String })
    t.equal((await post('anna', { code })).status, 400, 'a code works once')
    t.ok((await host.authmount.connectorToken('workspace', BERT)).accessToken, 'it is the organisation’s')
  })

  t.test(`${name}: a front end’s code is exchanged, for the address that the provider has verified`, async t => {
    const redirectUri = 'https://app.example/signed-in'
    const outside = await startOutsideProvider([redirectUri])
    const signInProvider = (provider: string) =>
      provider === 'outside'
        ? { ...OUTSIDE_CLIENT, issuer: outside.url, scopes: ['openid', 'email'], redirectUris: [redirectUri] }
        : null
    const host = await startHost(mount, { connect, allowLoopbackProviders: true, signInProvider })
    t.teardown(async () => {
      await host.close()
      await outside.close()
    })
    const post = (fields: object) =>
      host.send('/userAccount/oauth/exchange', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ provider: 'outside', redirectUri, email: 'anna@outside.example', ...fields }),
      })
    const good = await post({ code: await codeOf(outside, redirectUri), email: 'Anna@Outside.example' })
    t.equal(good.status, 200)
    t.strictSame(Object.keys(good.body).toSorted(), ['access_token', 'expires_in', 'id_token', 'token_type'])
    t.equal(good.body.token_type, 'Bearer')
    t.equal(good.headers.get('cache-control'), 'no-store')

    const used = await codeOf(outside, redirectUri)
    t.equal((await post({ code: used, email: 'bert@outside.example' })).status, 401)
    const replayed = await post({ code: used })
    t.equal(replayed.status, 401)
    t.match(replayed.body, { error: 'Unauthorized', code: 'UNAUTHORIZED', statusCode: 401, message: String })
    t.equal((await post({ code: 'x', provider: 'nobody' })).status, 404)
    t.equal((await post({ code: 'not-a-code' })).status, 401)
    for (const wrong of [
      { code: 'x', redirectUri: 'https://evil.example/' },
      { code: 'x', redirectUri: `${redirectUri}/` },
      { code: 'x', redirectUri: 'javascript:alert(1)' },
      { code: 'x', email: 'nobody' },
      { code: '' },
      { code: { $ne: null } },
      { code: 'x', provider: ['outside'] },
    ])
      t.match(
        (await post(wrong)).body,
        { error: 'Bad Request', code: 'VALIDATION_ERROR', statusCode: 400 },
        JSON.stringify(wrong),
      )
    const wrongMethod = await host.send('/userAccount/oauth/exchange')
    t.equal(wrongMethod.status, 405)
    t.match(wrongMethod.body, { statusCode: 405 })
  })
}

async function codeOf(outside: Awaited<ReturnType<typeof startOutsideProvider>>, redirectUri: string): Promise<string> {
  const query = { response_type: 'code', client_id: OUTSIDE_CLIENT.clientId, redirect_uri: redirectUri, scope: 'openid email' }
  const back = await outside.browse(`${outside.url}/auth?${new URLSearchParams(query)}`)
  return back.searchParams.get('code') ?? ''
}

overMemory('a connector that does not exist is an error of its own', async t => {
  t.equal(new ConnectorError('not_connected', 'x').code, 'not_connected')
})

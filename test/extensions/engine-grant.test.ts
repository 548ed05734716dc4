import engine53 from '@node-oauth/oauth2-server'
import engine52 from 'oauth2-server-5.2'
import t from 'tap'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import type { HostOptions } from '../support/host.ts'

interface Users {
  getUserByKey(key: string): Promise<{ readonly name: string } | undefined>
}

/** As a host has written it for the engine, with its own copy of the package. */
function keyGrantOf({ AbstractGrantType, InvalidGrantError, InvalidRequestError }: typeof engine53) {
  return class KeyGrant extends AbstractGrantType {
    declare readonly model: Users & { saveToken(token: object, client: object, user: object): Promise<object> }

    constructor(options: never) {
      super(options)
      if (!this.model.getUserByKey) throw new Error('the model does not implement getUserByKey()')
    }

    async handle(request: engine53.Request, client: engine53.Client): Promise<never> {
      const { key } = request.body as Record<string, string>
      if (!key) throw new InvalidRequestError('Missing parameter: `key`')
      const user = await this.model.getUserByKey(key)
      if (!user) throw new InvalidGrantError('Invalid grant: the key is not known')
      const scope = this.getScope(request)
      const validated = await this.validateScope(user, client, scope)
      const token = {
        accessToken: await this.generateAccessToken(client, user, validated as string[]),
        accessTokenExpiresAt: key === 'short' ? new Date(Date.now() + 60_000) : this.getAccessTokenExpiresAt(),
        refreshToken: await this.generateRefreshToken(client, user, validated as string[]),
        refreshTokenExpiresAt: this.getRefreshTokenExpiresAt(),
        scope: validated || undefined,
      }
      if (key === 'expired') token.accessTokenExpiresAt = new Date(Date.now() - 60_000)
      if (key === 'greedy') token.scope = ['read:records', 'admin']
      if (key === 'forgetful') return { accessToken: 'made up', client, user } as never
      return this.model.saveToken(token, { ...client, id: 'somebody else' }, user) as never
    }
  }
}

/** One that does not await the check of its scope. */
class Careless extends engine53.AbstractGrantType {
  declare readonly model: { saveToken(token: object, client: object, user: object): Promise<object> }

  async handle(request: engine53.Request, client: engine53.Client): Promise<never> {
    void this.validateScope({}, client, this.getScope(request) ?? [])
    return this.model.saveToken({ accessToken: 'x' }, client, { name: 'anna' }) as never
  }
}

const model = {
  users: { short: 'anna', long: 'anna', greedy: 'anna', expired: 'anna', forgetful: 'anna', app: '' } as Record<string, string>,
  async getUserByKey(key: string) {
    if (key === 'down') throw new Error('connect ECONNREFUSED db-password')
    const name = this.users[key]
    return name === undefined ? undefined : { name }
  },
}
const owner = ({ name }: { readonly name: string }) => ({ userId: name === '' ? null : name, orgId: 'org-1' })

const options: HostOptions = {
  grants: [
    { name: 'key53', parameters: { key: { required: true } }, grantType: keyGrantOf(engine53), model, owner },
    {
      name: 'key52',
      grantType: keyGrantOf(engine52 as unknown as typeof engine53),
      model,
      owner,
      legacyClient: app => ({ id: 'ignored', tier: app.name }),
    },
    {
      name: 'careless',
      grantType: Careless,
      model: { validateScope: async () => false },
      owner,
      publicApps: true,
    },
  ],
}

for (const name of ['key53', 'key52']) {
  everywhere(
    `a class written for the engine works unchanged (${name})`,
    async (t, host) => {
      const app = await host.confidentialApp({ allowedGrantTypes: [name, 'refresh_token'], redirectUris: [] })
      const { body, status } = await host.post('/oauth/token', app, { grant_type: name, key: 'long', scope: 'read:records' })
      t.equal(status, 200)
      t.match(body, { access_token: /^am_at_/, refresh_token: /^am_rt_/, scope: 'read:records', expires_in: 3600 })
      const { body: oauth } = await host.send('/records', { headers: { authorization: `Bearer ${body.access_token}` } })
      t.match(oauth, { clientId: app.clientId, userId: 'anna', orgId: 'org-1' })
      t.equal((await host.refresh(app, body.refresh_token)).status, 200)

      const shorter = await host.post('/oauth/token', app, { grant_type: name, key: 'short' })
      t.ok(Number(shorter.body.expires_in) <= 60 && Number(shorter.body.expires_in) > 30, 'it may shorten a lifetime')
      const itself = await host.post('/oauth/token', app, { grant_type: name, key: 'app' })
      t.equal(itself.status, 200)
      t.equal(itself.body.refresh_token, undefined)
    },
    options,
  )

  everyFramework(
    `what such a class refuses, or gets wrong, is answered by its kind (${name})`,
    async (t, host) => {
      const app = await host.confidentialApp({ allowedGrantTypes: [name], redirectUris: [] })
      const outcomes = {
        unknown: [400, 'invalid_grant'],
        greedy: [400, 'invalid_scope'],
        expired: [500, 'server_error'],
        forgetful: [500, 'server_error'],
        down: [500, 'server_error'],
      } as const
      for (const [key, [status, error]] of Object.entries(outcomes)) {
        const answer = await host.post('/oauth/token', app, { grant_type: name, key })
        t.strictSame([answer.status, answer.body.error], [status, error], key)
        t.notMatch(answer.text, /ECONNREFUSED|password/)
      }
      t.equal((await host.post('/oauth/token', app, { grant_type: name })).body.error, 'invalid_request')
      t.equal(
        (await host.post('/oauth/token', app, { grant_type: name, key: 'long', scope: 'admin' })).body.error,
        'invalid_scope',
      )
      t.equal((await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })).total, 0)
    },
    options,
  )
}

everyFramework(
  'a refused scope that nobody awaits stops the request, and not the process',
  async (t, host) => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    t.teardown(() => process.off('unhandledRejection', listen))
    const app = await host.publicApp({ allowedGrantTypes: ['careless'], redirectUris: [] })
    const answer = await host.post('/oauth/token', app, { grant_type: 'careless', scope: 'read:records' })
    t.equal(answer.body.error, 'invalid_scope')
    await new Promise(resolve => setImmediate(resolve))
    t.strictSame(unhandled, [])
  },
  options,
)

t.test('two copies of the engine are two: instanceof would not do', async t => {
  t.notOk(new engine52.InvalidGrantError('x') instanceof engine53.OAuthError)
})

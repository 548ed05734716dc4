import engine53 from '@node-oauth/oauth2-server'
import engine52 from 'oauth2-server-5.2'
import t from 'tap'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import type { HostOptions } from '../support/host.ts'
import { issuedNothing, sleep, unhandledRejections } from '../support/host-grants.ts'

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
    const unhandled = unhandledRejections(t)
    const app = await host.publicApp({ allowedGrantTypes: ['careless'], redirectUris: [] })
    const answer = await host.post('/oauth/token', app, { grant_type: 'careless', scope: 'read:records' })
    t.equal(answer.body.error, 'invalid_scope')
    await new Promise(resolve => setImmediate(resolve))
    t.strictSame(unhandled, [])
  },
  options,
)

/** The methods of a class for the engine, as far as these classes use them. */
type Validate = (user: object, client: object, scope: unknown) => Promise<readonly string[]>
interface Saves {
  saveToken(token: object, client: object, user: object): Promise<{ readonly accessToken: string }>
}

/** A class whose `handle` is `run`. */
function classOf(
  run: (grant: { readonly model: Saves; readonly validate: Validate; readonly scope: unknown }) => Promise<unknown>,
) {
  return class extends engine53.AbstractGrantType {
    handle(request: engine53.Request, client: engine53.Client): Promise<never> {
      const { model } = this as unknown as { readonly model: Saves }
      const validate: Validate = (user, _client, scope) => this.validateScope(user, client, scope as string[]) as never
      return run({ model, validate, scope: this.getScope(request) }) as never
    }
  }
}
const ANNA = { name: 'anna' }
const save = (saves: Saves, scope?: unknown) => saves.saveToken({ accessToken: 'x', refreshToken: 'y', scope }, {}, ANNA)
/** The usual way. */
const Usual = classOf(async ({ model, scope, validate }) => save(model, await validate(ANNA, {}, scope)))
const pick = (name: string) => async (_user: object, _client: object, scope: readonly string[] | undefined) =>
  (scope ?? []).filter(one => one === name)

everyFramework(
  'a scope that is empty is refused, whatever made it so; one that was never named is the app’s',
  async (t, host) => {
    const names = ['filtered', 'narrowed', 'list', 'text', 'unnamed', 'usual', 'null']
    const app = await host.confidentialApp({ allowedGrantTypes: names, redirectUris: [] })
    const ask = (grant_type: string, scope?: string) => host.post('/oauth/token', app, { grant_type, scope })
    const all = 'read:records write:records'
    for (const [name, scope, expected] of [
      ['filtered', all, 'invalid_scope'],
      ['filtered', undefined, 'invalid_scope'],
      ['list', all, 'invalid_scope'],
      ['text', undefined, 'invalid_scope'],
      ['narrowed', all, 'read:records'],
      ['unnamed', 'read:records', 'read:records'],
      ['unnamed', undefined, all],
      ['null', undefined, all],
      ['usual', undefined, all],
      ['usual', 'read:records', 'read:records'],
    ] as const) {
      const { body } = await ask(name, scope)
      t.equal(body.scope ?? body.error, expected, `${name} ${scope}`)
    }
  },
  {
    grants: [
      { name: 'filtered', grantType: Usual, model: { validateScope: pick('profile') }, owner },
      { name: 'narrowed', grantType: Usual, model: { validateScope: pick('read:records') }, owner },
      { name: 'list', grantType: classOf(({ model }) => save(model, [])), owner },
      { name: 'text', grantType: classOf(({ model }) => save(model, ' ')), owner },
      { name: 'unnamed', grantType: classOf(({ model }) => save(model)), owner },
      { name: 'null', grantType: classOf(({ model }) => save(model, null)), owner },
      { name: 'usual', grantType: Usual, owner },
    ],
  },
)

const spent: string[] = []
const refuses = { validateScope: async () => false }
const refusesLate = { validateScope: () => sleep(30).then(() => false) }

everyFramework(
  'a scope that the host’s model refuses stops the class where it stands, awaited or not',
  async (t, host) => {
    const unhandled = unhandledRejections(t)
    const names = ['spends', 'careless', 'afterwards', 'swallows', 'throws']
    const app = await host.confidentialApp({ allowedGrantTypes: names, redirectUris: [] })
    for (const name of names) {
      const { body, status } = await host.post('/oauth/token', app, { grant_type: name, scope: 'read:records' })
      t.strictSame([status, body.error], name === 'throws' ? [500, 'server_error'] : [400, 'invalid_scope'], name)
      await issuedNothing(t, host, app, name)
    }
    t.strictSame(spent, [], 'nothing was spent')
    await sleep(50)
    t.strictSame(unhandled, [])
  },
  {
    grants: [
      {
        name: 'spends',
        grantType: classOf(async ({ model, scope, validate }) => {
          await validate(ANNA, {}, scope)
          spent.push('voucher')
          return save(model, scope)
        }),
        model: refuses,
        owner,
      },
      {
        name: 'careless',
        grantType: classOf(({ model, scope, validate }) => {
          void validate(ANNA, {}, scope)
          return save(model, scope)
        }),
        model: refusesLate,
        owner,
      },
      {
        name: 'afterwards',
        grantType: classOf(async ({ model, scope, validate }) => {
          const saved = await save(model, scope)
          void validate(ANNA, {}, scope)
          return saved
        }),
        model: refusesLate,
        owner,
      },
      {
        name: 'swallows',
        grantType: classOf(({ model, scope, validate }) => validate(ANNA, {}, scope).catch(() => save(model, scope))),
        model: refuses,
        owner,
      },
      { name: 'throws', grantType: Usual, model: { validateScope: () => Promise.reject(new Error('down')) }, owner },
    ],
  },
)

/** As hosts write one: with a private field, and a connection that is opened once. */
class Model {
  readonly #users: Readonly<Record<string, object>> = { anna: ANNA }
  connection: object | undefined
  opened = 0
  /** As the models of an ORM are: a function with functions of its own. */
  readonly User = Object.assign(() => 'called', { first: () => ANNA })

  find(name: string): object | undefined {
    this.connection ??= { number: ++this.opened }
    return this.#users[name]
  }
}
const hostModel = new Model()
const frozen = Object.freeze({ saveToken: () => 'never called', find: () => ANNA })
const UsesModel = classOf(async ({ model }) => {
  const { User } = model as unknown as Model
  if (User && (!(model instanceof Model) || !('find' in model) || User.first() !== ANNA || User() !== 'called'))
    throw new Error('the model is another one')
  const user = (model as unknown as Model).find('anna')
  return model.saveToken({ accessToken: 'x', scope: ['read:records'] }, {}, user ?? {})
})

everyFramework(
  'the methods of a model run on the host’s own object: with private fields, frozen, with what it keeps',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedGrantTypes: ['class', 'frozen'], redirectUris: [] })
    for (const name of ['class', 'class', 'frozen'])
      t.equal((await host.post('/oauth/token', app, { grant_type: name })).status, 200, name)
    t.equal(hostModel.opened, 1, 'one connection for all requests')
    t.strictSame(Object.keys(hostModel).toSorted(), ['User', 'connection', 'opened'], 'nothing of a request is left on it')
  },
  {
    grants: [
      { name: 'class', grantType: UsesModel, model: hostModel, owner },
      { name: 'frozen', grantType: UsesModel, model: frozen, owner },
    ],
  },
)

everyFramework(
  'an error is the engine’s by its name alone: the words of any other reach no client',
  async (t, host) => {
    const secret = 'redis://svc:S3cret@10.0.0.7 said no'
    const { InvalidGrantError } = engine53
    const errors: Readonly<Record<string, readonly [Error, number, string]>> = {
      code: [Object.assign(new Error(secret), { code: 'access_denied' }), 500, 'server_error'],
      error: [Object.assign(new Error(secret), { error: 'invalid_client' }), 500, 'server_error'],
      inner: [new InvalidGrantError(new Error(secret) as never), 400, 'invalid_grant'],
      engine: [new InvalidGrantError('the key is not known'), 400, 'invalid_grant'],
    }
    for (const [name, [error, status, code]] of Object.entries(errors)) {
      thrown = error
      for (const grant_type of ['throws', 'owner']) {
        const app = await host.confidentialApp({ allowedGrantTypes: ['throws', 'owner'], redirectUris: [] })
        const answer = await host.post('/oauth/token', app, { grant_type })
        t.strictSame([answer.status, answer.body.error], [status, code], `${name}, ${grant_type}`)
        t.notMatch(answer.text, /S3cret/)
      }
    }
  },
  {
    grants: [
      { name: 'throws', grantType: classOf(() => Promise.reject(thrown)), owner },
      { name: 'owner', grantType: Usual, owner: () => Promise.reject(thrown) },
    ],
  },
)
let thrown: Error | undefined

everyFramework(
  'a class that is late, or fails after saveToken, leaves no tokens; nor does an owner or a client that hangs',
  async (t, host) => {
    const unhandled = unhandledRejections(t)
    const names = ['owner', 'hangs', 'client', 'twice', 'fails', 'late']
    const app = await host.confidentialApp({ allowedGrantTypes: names, redirectUris: [] })
    for (const name of names) {
      const { body, status } = await host.post('/oauth/token', app, { grant_type: name, scope: 'read:records' })
      t.strictSame([status, body.error], [500, 'server_error'], name)
      await sleep(250)
      await issuedNothing(t, host, app, name)
    }
    t.strictSame(unhandled, [])
  },
  {
    hookTimeoutMs: 100,
    grants: [
      { name: 'owner', grantType: Usual, owner: (user: typeof ANNA) => sleep(200).then(() => owner(user)) },
      { name: 'hangs', grantType: Usual, owner: () => new Promise<never>(() => {}) },
      { name: 'client', grantType: Usual, owner, legacyClient: () => new Promise<never>(() => {}) },
      { name: 'twice', grantType: classOf(async ({ model }) => [await save(model), await save(model)]), owner },
      {
        name: 'fails',
        grantType: classOf(async ({ model }) => {
          await save(model)
          throw new Error('could not be marked as used')
        }),
        owner,
      },
      { name: 'late', grantType: classOf(({ model }) => sleep(200).then(() => save(model))), owner },
    ],
  },
)

everyFramework(
  'a refusal of saveToken that is awaited later does not end the process',
  async (t, host) => {
    const unhandled = unhandledRejections(t)
    const app = await host.confidentialApp({ allowedGrantTypes: ['later'], redirectUris: [] })
    const { body } = await host.post('/oauth/token', app, { grant_type: 'later', scope: 'admin' })
    t.equal(body.error, 'invalid_scope')
    t.strictSame(unhandled, [])
  },
  {
    grants: [
      {
        name: 'later',
        grantType: classOf(async ({ model, scope }) => {
          const saving = save(model, scope)
          await sleep(30)
          return saving
        }),
        owner,
      },
    ],
  },
)

t.test('two copies of the engine are two: instanceof would not do', async t => {
  t.notOk(new engine52.InvalidGrantError('x') instanceof engine53.OAuthError)
})

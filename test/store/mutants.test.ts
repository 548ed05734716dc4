/** The contract is worth what it catches: every one of these broken stores must fail it. */
import { setImmediate } from 'node:timers/promises'
import type { App, Consent, Credential, OneTime, OneTimeKind, Spent, Store, Token } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import { storeCases } from 'authmount/testing'
import t from 'tap'

type Mutation = (store: Store) => { readonly [Part in keyof Store]?: Partial<Store[Part]> }

const mutations: Readonly<Record<string, Mutation>> = {
  'consume reads, then writes': ({ oneTime }) => {
    const used = new Map<string, string>()
    return {
      oneTime: {
        async consume(kind, id, attempt) {
          const entry = await oneTime.peek(kind, id)
          const by = used.get(id)
          await setImmediate()
          if (by === undefined) used.set(id, attempt)
          return entry && { entry, first: by === undefined || by === attempt }
        },
      },
    }
  },
  'apps are remembered for a moment': ({ apps }) => {
    const remembered = new Map<string, Promise<App | undefined>>()
    return {
      apps: {
        get(id) {
          const app = remembered.get(id) ?? apps.get(id)
          if (remembered.size === 0) setTimeout(() => remembered.clear(), 5)
          remembered.set(id, app)
          return app
        },
      },
    }
  },
  'consume forgets which attempt won': ({ oneTime }) => {
    const used = new Set<string>()
    return {
      oneTime: {
        async consume(kind, id) {
          const entry = await oneTime.peek(kind, id)
          const first = !used.has(id)
          used.add(id)
          return entry && { entry, first }
        },
      },
    }
  },
  'consume deletes': ({ oneTime }) => {
    const used = new Map<string, string>()
    return {
      oneTime: {
        peek: async (kind, id) => (used.has(id) ? undefined : oneTime.peek(kind, id)),
        async consume(kind, id, attempt) {
          if (used.has(id)) return undefined
          const answer = await oneTime.consume(kind, id, attempt)
          used.set(id, attempt)
          return answer
        },
      },
    }
  },
  'consume says first to everyone': ({ oneTime }) => ({
    oneTime: {
      async consume(kind, id, attempt) {
        const answer = await oneTime.consume(kind, id, attempt)
        return answer && { ...answer, first: true }
      },
    },
  }),
  'one-time entries ignore their kind': () => {
    const entries = new Map<string, OneTime>()
    return {
      oneTime: {
        async put(entry) {
          entries.set(entry.id, entry)
        },
        peek: async <K extends OneTimeKind>(_kind: K, id: string) => entries.get(id) as OneTime<K> | undefined,
      },
    }
  },
  'putting again does not replace': ({ oneTime }) => ({
    oneTime: {
      async put(entry) {
        if (!(await oneTime.peek(entry.kind, entry.id))) await oneTime.put(entry)
      },
    },
  }),
  'one-time entries never expire': () => {
    const entries = new Map<string, OneTime>()
    return {
      oneTime: {
        async put(entry) {
          entries.set(`${entry.kind}:${entry.id}`, structuredClone(entry))
        },
        peek: async <K extends OneTimeKind>(kind: K, id: string) => entries.get(`${kind}:${id}`) as OneTime<K> | undefined,
      },
    }
  },
  'rotate finds, then writes': ({ grants }) => {
    const spent = new Map<string, string>()
    return {
      grants: {
        async rotate(found, next, replay) {
          const by = spent.get(found.token.id)
          await setImmediate()
          if (by !== undefined) return by === replay ? 'rotated' : 'reused'
          spent.set(found.token.id, replay)
          const outcome = await grants.rotate(found, next, replay)
          return outcome === 'reused' ? 'rotated' : outcome
        },
      },
    }
  },
  'rotate writes the successor of a reused token': ({ grants }) => {
    const added = new Map<string, Token>()
    return {
      grants: {
        async rotate(found, next, replay) {
          const outcome = await grants.rotate(found, next, replay)
          if (outcome === 'reused') for (const token of next) added.set(token.id, token)
          return outcome
        },
        async find(ref) {
          const found = await grants.find(ref)
          const token = added.get(ref.tokenId)
          const grant = (await grants.listTokens({ clientId: ref.grantId.slice(0, 24), epoch: 1, limit: 1 })).items[0]?.grant
          return found ?? (token && grant && { grant, token, spent: null })
        },
      },
    }
  },
  'rotate says reused to its own repeat': ({ grants }) => {
    const rotated = new Set<string>()
    return {
      grants: {
        async rotate(found, next, replay) {
          if (rotated.has(found.token.id)) return 'reused'
          rotated.add(found.token.id)
          return grants.rotate(found, next, replay)
        },
      },
    }
  },
  'the loser of a rotation overwrites the replay': ({ grants }) => {
    const replays = new Map<string, string>()
    return {
      grants: {
        async rotate(found, next, replay) {
          replays.set(found.token.id, replay)
          return grants.rotate(found, next, replay)
        },
        async find(ref) {
          const found = await grants.find(ref)
          const spent: Spent | null = found?.spent ? { at: found.spent.at, replay: replays.get(ref.tokenId) ?? '' } : null
          return found && { ...found, spent }
        },
      },
    }
  },
  'rotate revives a revoked grant': ({ grants }) => ({
    grants: {
      async rotate(found, next, replay) {
        const known = await grants.find({ grantId: found.grant.id, tokenId: found.token.id })
        const outcome = await grants.rotate(found, next, replay)
        if (outcome === 'missing' && !known) {
          const clientId = found.grant.id.slice(0, 24)
          const revived = {
            id: found.grant.id,
            clientId,
            orgId: '',
            userId: null,
            scopes: [],
            createdAt: 0,
            epoch: 1,
            context: {},
          }
          await grants.create(revived, next)
        }
        return outcome
      },
    },
  }),
  'rotate spends any kind of token': ({ grants }) => ({
    grants: {
      async rotate(found, next, replay) {
        const known = await grants.find({ grantId: found.grant.id, tokenId: found.token.id })
        const outcome = await grants.rotate(found, next, replay)
        return known && outcome === 'missing' ? 'rotated' : outcome
      },
    },
  }),
  'rotate forgets what was spent': ({ grants }) => ({
    grants: {
      async rotate(found, next, replay) {
        const outcome = await grants.rotate(found, next, replay)
        if (outcome === 'rotated') await grants.revokeToken({ grantId: found.grant.id, tokenId: found.token.id })
        return outcome
      },
    },
  }),
  'rotate drops the other tokens of its grant': ({ grants }) => ({
    grants: {
      async rotate(found, next, replay) {
        const outcome = await grants.rotate(found, next, replay)
        const { items } = await grants.listTokens({ clientId: found.grant.id.slice(0, 24), epoch: 1, limit: 100 })
        const kept = new Set(next.map(({ id }) => id))
        for (const { grant, token } of items)
          if (!kept.has(token.id)) await grants.revokeToken({ grantId: grant.id, tokenId: token.id })
        return outcome
      },
    },
  }),
  'a grant dies with its first token': ({ grants }) => ({
    grants: {
      async find(ref) {
        const found = await grants.find(ref)
        const { items } = await grants.listTokens({ clientId: ref.grantId.slice(0, 24), epoch: 1, limit: 100 })
        const died = items.length < 2 && found?.spent === null && found.token.kind === 'refresh'
        return died ? undefined : found
      },
    },
  }),
  'tokens never expire': ({ grants }) => ({
    grants: {
      create: (grant, tokens) =>
        grants.create(
          grant,
          tokens.map(token => ({ ...token, expiresAt: token.expiresAt + 1e9 })),
        ),
      async find(ref) {
        const found = await grants.find(ref)
        return found && { ...found, token: { ...found.token, expiresAt: found.token.expiresAt - 1e9 } }
      },
    },
  }),
  'create overwrites a grant': ({ grants }) => ({
    grants: {
      async create(grant, tokens) {
        await grants.revoke(grant.id)
        return grants.create(grant, tokens)
      },
    },
  }),
  'create says false to its own repeat': ({ grants }) => {
    const created = new Set<string>()
    return {
      grants: {
        async create(grant, tokens) {
          if (created.has(grant.id)) return false
          created.add(grant.id)
          return grants.create(grant, tokens)
        },
      },
    }
  },
  'revoke leaves the successors': ({ grants }) => {
    const late = new Set<string>()
    return {
      grants: {
        async revoke(grantId) {
          if (late.has(grantId)) return false
          late.add(grantId)
          const { items } = await grants.listTokens({ clientId: grantId.slice(0, 24), epoch: 1, limit: 100 })
          await setImmediate()
          for (const { token } of items) await grants.revokeToken({ grantId, tokenId: token.id })
          return items.length > 0
        },
      },
    }
  },
  'revoking by client ignores the user': ({ grants }) => ({
    grants: { revokeMany: ({ userId: _, ...query }) => grants.revokeMany(query) },
  }),
  'revoking by client ignores the epoch': ({ grants }) => ({
    grants: { revokeMany: ({ epochBelow: _, ...query }) => grants.revokeMany(query) },
  }),
  'revoking by user ignores the user': ({ grants }) => ({
    grants: { revokeMany: async query => (query.clientId === undefined ? 0 : grants.revokeMany(query)) },
  }),
  "a user's list is of one client": ({ grants }) => ({
    grants: {
      async listTokens(query) {
        const page = await grants.listTokens(query)
        const clientId = page.items[0]?.grant.clientId
        return 'userId' in query ? { ...page, items: page.items.filter(({ grant }) => grant.clientId === clientId) } : page
      },
    },
  }),
  'a list ignores the epoch': ({ grants }) => ({
    grants: {
      async listTokens(query) {
        const page = await grants.listTokens(query)
        if ('userId' in query) return page
        const other = await grants.listTokens({ ...query, epoch: query.epoch === 1 ? 2 : 1 })
        return { ...page, total: page.total + other.total }
      },
    },
  }),
  'a list shows spent tokens': ({ grants }) => ({
    grants: {
      async listTokens(query) {
        const page = await grants.listTokens(query)
        return { ...page, total: page.total + 1 }
      },
    },
  }),
  'tokens are paged by offset': ({ grants }) => ({
    grants: {
      async listTokens({ after, limit, ...whose }) {
        const { items, total } = await grants.listTokens({ ...whose, limit: 1e6 })
        const offset = Number(after ?? 0)
        return { items: items.slice(offset, offset + limit), total, next: offset + limit < total ? String(offset + limit) : null }
      },
    },
  }),
  'a page cursor is an instant': ({ grants }) => ({
    grants: {
      async listTokens({ after, limit, ...whose }) {
        const { items, total } = await grants.listTokens({ ...whose, limit: 1e6 })
        const rest = items.filter(({ token }) => after === undefined || token.issuedAt < Number(after))
        const page = rest.slice(0, limit)
        return { items: page, total, next: rest.length > limit ? String(page.at(-1)?.token.issuedAt) : null }
      },
    },
  }),
  'the version is not looked at': () => {
    const apps = new Map<string, App>()
    return {
      apps: {
        get: async id => apps.get(id),
        async save(app) {
          apps.set(app.id, app)
          return true
        },
      },
    }
  },
  'the version is compared before it is written': ({ apps }) => {
    const saved = new Map<string, App>()
    return {
      apps: {
        get: async id => saved.get(id),
        async save(app) {
          const version = saved.get(app.id)?.version ?? 0
          await setImmediate()
          if (version !== app.version && version !== app.version - 1) return false
          if (version === app.version && saved.get(app.id)?.name !== app.name) return false
          saved.set(app.id, structuredClone(app))
          await apps.save(app)
          return true
        },
      },
    }
  },
  'a repeated save is a conflict': ({ apps }) => ({
    apps: { save: async app => ((await apps.get(app.id))?.version === app.version ? false : apps.save(app)) },
  }),
  'search is a pattern': ({ apps }) => ({
    apps: {
      async list({ search, ...query }) {
        const { items } = await apps.list({ ...query, offset: 0, limit: 1000 })
        const found = items.filter(({ name }) => search === undefined || new RegExp(search.replace(/\\$/, ''), 'i').test(name))
        return { items: found.slice(query.offset, query.offset + query.limit), total: found.length }
      },
    },
  }),
  'a list is oldest first': ({ apps }) => ({
    apps: {
      async list(query) {
        const { items, total } = await apps.list({ ...query, offset: 0, limit: 1000 })
        return { items: items.toReversed().slice(query.offset, query.offset + query.limit), total }
      },
    },
  }),
  'ids are joined without encoding': () => {
    const consents = new Map<string, Consent>()
    return {
      consents: {
        get: async (userId, clientId) => consents.get(`${userId}:${clientId}`),
        async put(consent) {
          consents.set(`${consent.userId}:${consent.clientId}`, consent)
        },
        delete: async (userId, clientId) => consents.delete(`${userId}:${clientId}`),
      },
    }
  },
  'credentials are written without their version': () => {
    const credentials = new Map<string, Credential>()
    const key = (connectorId: string, ownerId: string) => JSON.stringify([connectorId, ownerId])
    return {
      credentials: {
        get: async (connectorId, ownerId) => credentials.get(key(connectorId, ownerId)),
        async save(credential) {
          credentials.set(key(credential.connectorId, credential.ownerId), credential)
          return true
        },
      },
    }
  },
  'each instance has a key ring of its own': ({ keys }) => ({ keys: { save: async ring => (await keys.save(ring)) || true } }),
  'live references are returned': ({ apps }) => {
    const live = new Map<string, App>()
    return {
      apps: {
        get: async id => live.get(id),
        async save(app) {
          const saved = await apps.save(app)
          if (saved) live.set(app.id, app)
          return saved
        },
      },
    }
  },
}

t.jobs = Object.keys(mutations).length
for (const [name, mutate] of Object.entries(mutations)) {
  t.test(`the contract notices that ${name}`, async t => {
    const caught: string[] = []
    for (const { name, run } of storeCases) {
      const store = memoryStore()
      const broken = mutate(store)
      const parts = Object.keys(store) as (keyof Store)[]
      const mutant = Object.fromEntries(parts.map(part => [part, { ...store[part], ...broken[part] }])) as unknown as Store
      await run(mutant).catch(() => caught.push(name))
    }
    t.ok(caught.length > 0, `caught by: ${caught[0]}`)
    t.ok(caught.length < storeCases.length, 'and the rest of the store still works')
  })
}

import { setImmediate } from 'node:timers/promises'
import type { App, AppQuery, Page } from 'authmount'
import { type Mutants, only, withClock } from './mutant.ts'

const FIELDS =
  'id orgId createdBy name description status origin authMethod secrets redirectUris grantTypes scopes accessTokenSeconds refreshTokenSeconds profile createdAt updatedAt epoch version expiresAt freshUntil keys clientId'.split(
    ' ',
  )
const EXPIRED = 'apps: an expired one is absent'
const VERSION = 'apps: a write needs the version'

export const appMutants: Mutants = {
  'apps are remembered for a moment': {
    by: 'apps: what has been written is what anyone reads',
    breaks({ apps }) {
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
  },
  'a NUL is lost': {
    by: 'apps: what is saved is what is read',
    breaks: ({ apps }) => ({ apps: { save: app => apps.save({ ...app, name: app.name.replaceAll('\0', '') }) } }),
  },
  'an id of another shape rejects': {
    by: 'apps: what is saved is what is read',
    breaks: ({ apps }) => ({
      apps: {
        async get(id) {
          if (id.includes('\0')) throw new Error('invalid byte sequence for encoding "UTF8": 0x00')
          return apps.get(id)
        },
      },
    }),
  },
  'an app that is no longer fresh has expired': {
    by: 'apps: keys, a client_id of its own',
    breaks: ({ apps }, now) => ({
      apps: {
        async get(id) {
          const app = await apps.get(id)
          return app && (app.freshUntil ?? Infinity) > now() ? app : undefined
        },
      },
    }),
  },
  'the keys of an app are kept without what is not known of them': {
    by: 'apps: keys, a client_id of its own',
    breaks: ({ apps }) => ({
      apps: {
        async get(id) {
          const app = await apps.get(id)
          if (!app?.keys || !('jwks' in app.keys)) return app
          return { ...app, keys: { jwks: { keys: app.keys.jwks.keys.map(key => only(key, ['kty', 'crv', 'x', 'kid'])) } } }
        },
      },
    }),
  },
  'the version is not looked at': {
    by: VERSION,
    breaks() {
      const saved = new Map<string, App>()
      return { apps: { get: async id => saved.get(id), save: async app => saved.set(app.id, app) !== undefined } }
    },
  },
  'any version may be the first': {
    by: VERSION,
    breaks: ({ apps }) => ({
      apps: { save: async app => ((await apps.get(app.id)) ? apps.save(app) : apps.save({ ...app, version: 1 })) },
    }),
  },
  'the version is compared before it is written': {
    by: 'apps: of many concurrent creators',
    breaks() {
      const saved = new Map<string, App>()
      return {
        apps: {
          get: async id => saved.get(id),
          async save(app) {
            const version = saved.get(app.id)?.version ?? 0
            await setImmediate()
            if (version !== app.version - 1) return false
            saved.set(app.id, app)
            return true
          },
        },
      }
    },
  },
  'a repeated save is a conflict': {
    by: 'apps: the same write sent twice',
    breaks: ({ apps }) => ({
      apps: { save: async app => ((await apps.get(app.id))?.version === app.version ? false : apps.save(app)) },
    }),
  },
  'an id of any shape is saved': {
    by: 'apps: an id that is not 24',
    breaks: ({ apps }) => ({ apps: { save: async app => (/^[0-9a-f]{24}$/.test(app.id) ? apps.save(app) : true) } }),
  },
  'an id of upper-case digits is saved': {
    by: 'apps: an id that is not 24',
    breaks: ({ apps }) => ({ apps: { save: app => apps.save({ ...app, id: app.id.toLowerCase() }) } }),
  },
  'an app expires a millisecond late': { by: EXPIRED, breaks: (_, now) => withClock('apps', () => now() - 1) },
  'an app expires a millisecond early': { by: EXPIRED, breaks: (_, now) => withClock('apps', () => now() + 1) },
  'apps never expire': { by: EXPIRED, breaks: () => withClock('apps', () => 0) },
  'apps expire by another clock': { by: EXPIRED, breaks: () => withClock('apps', Date.now) },
  'an expired app is counted': {
    by: EXPIRED,
    breaks({ apps }) {
      let made = 0
      return {
        apps: {
          async save(app) {
            if (app.version === 1 && (await apps.save(app))) made++
            return apps.save(app)
          },
          list: async query => ({ ...(await apps.list(query)), total: made }),
        },
      }
    },
  },
  'an expired app keeps its version': {
    by: EXPIRED,
    breaks({ apps }) {
      const versions = new Map<string, number>()
      return {
        apps: {
          async save(app) {
            const known = versions.get(app.id)
            if (known !== undefined && known < app.version - 1) return false
            if (known !== undefined && known >= app.version && !(await apps.get(app.id))) return false
            versions.set(app.id, app.version)
            return apps.save(app)
          },
        },
      }
    },
  },
  'the first version says when an app expires': {
    by: 'apps: the last version says',
    breaks({ apps }, now) {
      const first = new Map<string, number>()
      return {
        apps: {
          save(app) {
            if (app.expiresAt !== undefined && !first.has(app.id)) first.set(app.id, app.expiresAt)
            return apps.save(app)
          },
          get: async id => ((first.get(id) ?? Infinity) > now() ? apps.get(id) : undefined),
        },
      }
    },
  },
  'an app expires with its secret': {
    by: 'apps: a secret that is no longer usable',
    breaks: ({ apps }, now) => ({
      apps: {
        async get(id) {
          const app = await apps.get(id)
          return app && { ...app, secrets: app.secrets.filter(({ usableUntil }) => usableUntil === null || usableUntil > now()) }
        },
      },
    }),
  },
  'search is a pattern': {
    by: 'apps: a search is for a literal part',
    breaks: searching((name, search) => new RegExp(search.replace(/\\$/, ''), 'i').test(name)),
  },
  'search folds ASCII alone': {
    by: 'apps: a search folds case as toLowerCase',
    breaks: searching((name, search) => ascii(name).includes(ascii(search))),
  },
  'search folds accents': {
    by: 'apps: a search folds case as toLowerCase',
    breaks: searching((name, search) => bare(name).includes(bare(search))),
  },
  'search looks at the description too': {
    by: 'apps: a search is for a literal part',
    breaks: ({ apps }) => ({
      apps: {
        list: async query =>
          filtered(apps.list, query, app =>
            `${app.name} ${app.description}`.toLowerCase().includes(query.search?.toLowerCase() ?? ''),
          ),
      },
    }),
  },
  'a list is oldest first': {
    by: 'apps: a list is of one organisation',
    breaks: ({ apps }) => ({
      apps: {
        async list(query) {
          const { items, total } = await apps.list({ ...query, offset: 0, limit: 1000 })
          return { items: items.toReversed().slice(query.offset, query.offset + query.limit), total }
        },
      },
    }),
  },
  'the total is of the page': {
    by: 'apps: a list is of one organisation',
    breaks: ({ apps }) => ({
      apps: {
        async list(query) {
          const { items } = await apps.list(query)
          return { items, total: items.length }
        },
      },
    }),
  },
  'apps of one millisecond are in the order of their last write': {
    by: 'apps: those of one millisecond',
    breaks({ apps }) {
      const written: string[] = []
      return {
        apps: {
          save(app) {
            written.push(app.id)
            return apps.save(app)
          },
          async list({ offset, limit, ...query }) {
            const { items, total } = await apps.list({ ...query, offset: 0, limit: 1000 })
            const order = items.toSorted(
              (a, b) => b.createdAt - a.createdAt || written.lastIndexOf(b.id) - written.lastIndexOf(a.id),
            )
            return { items: order.slice(offset, offset + limit), total }
          },
        },
      }
    },
  },
  'apps of one millisecond are in ascending order': {
    by: 'apps: those of one millisecond',
    breaks: ({ apps }) => ({
      apps: {
        async list({ offset, limit, ...query }) {
          const { items, total } = await apps.list({ ...query, offset: 0, limit: 1000 })
          const order = items.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
          return { items: order.slice(offset, offset + limit), total }
        },
      },
    }),
  },
  ...Object.fromEntries(
    (['search', 'createdBy', 'origin'] as const).map(name => [
      `a list with ${name} shows deleted apps`,
      {
        by: 'apps: a list leaves out deleted apps',
        breaks: ({ apps }) => ({
          apps: {
            async list(query) {
              const page = await apps.list(query)
              if (query[name] === undefined || query.status !== undefined) return page
              const deleted = await apps.list({ ...query, status: 'deleted' })
              return { items: [...page.items, ...deleted.items], total: page.total + deleted.total }
            },
          },
        }),
      } satisfies Mutants[string],
    ]),
  ),
  ...Object.fromEntries(
    (['origin', 'createdBy', 'status', 'search'] as const).map(name => [
      `a list ignores ${name}`,
      {
        by: 'apps: filters narrow each other',
        breaks: ({ apps }) => ({
          apps: {
            list: ({ [name]: _, ...query }) => apps.list(query),
          },
        }),
      } satisfies Mutants[string],
    ]),
  ),
  'the total ignores the filters': {
    by: 'apps: filters narrow each other',
    breaks: ({ apps }) => ({
      apps: {
        async list(query) {
          const { orgId, status } = query
          const all = await apps.list({ orgId, offset: 0, limit: 0, ...(status === undefined ? {} : { status }) })
          return { ...(await apps.list(query)), total: all.total }
        },
      },
    }),
  },
  'the empty organisation has no apps': {
    by: 'apps: those that nobody registered',
    breaks: ({ apps }) => ({ apps: { list: async query => (query.orgId === '' ? { items: [], total: 0 } : apps.list(query)) } }),
  },
  'fields of an app that are not known are lost': {
    by: 'unknown: every field of an app',
    breaks: ({ apps }) => ({ apps: { save: app => apps.save(only(app, FIELDS)) } }),
  },
  'fields of a secret that are not known are lost': {
    by: 'unknown: every field of an app',
    breaks: ({ apps }) => ({
      apps: {
        save: app =>
          apps.save({ ...app, secrets: app.secrets.map(secret => only(secret, ['hash', 'createdAt', 'usableUntil'])) }),
      },
    }),
  },
  'fields of an app that are not known are lost in a list': {
    by: 'unknown: every field of an app',
    breaks: ({ apps }) => ({
      apps: {
        async list(query) {
          const { items, total } = await apps.list(query)
          return { items: items.map(app => only(app, FIELDS)), total }
        },
      },
    }),
  },
  'a new status is refused': {
    by: 'unknown: a new status',
    breaks: ({ apps }) => ({
      apps: {
        async save(app) {
          if (!['active', 'suspended', 'deleted'].includes(app.status)) throw new Error('violates check constraint "status"')
          return apps.save(app)
        },
      },
    }),
  },
  'a new status is not listed': {
    by: 'unknown: a new status',
    breaks: ({ apps }) => ({
      apps: {
        async list(query) {
          if (query.status !== undefined) return apps.list(query)
          return filtered(apps.list, query, ({ status }) => status === 'active' || status === 'suspended')
        },
      },
    }),
  },
}

type List = (query: AppQuery) => Promise<Page<App>>

async function filtered(list: List, { search: _, ...query }: AppQuery, wanted: (app: App) => boolean): Promise<Page<App>> {
  const found = (await list({ ...query, offset: 0, limit: 1000 })).items.filter(wanted)
  return { items: found.slice(query.offset, query.offset + query.limit), total: found.length }
}

function searching(matches: (name: string, search: string) => boolean): Mutants[string]['breaks'] {
  return ({ apps }) => ({
    apps: { list: query => filtered(apps.list, query, ({ name }) => query.search === undefined || matches(name, query.search)) },
  })
}

function ascii(text: string): string {
  return text.replaceAll(/[A-Z]/g, letter => letter.toLowerCase())
}

function bare(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()
}

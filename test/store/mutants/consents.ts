import { setImmediate } from 'node:timers/promises'
import type { Consent, ConsentOwner, Store } from 'authmount'
import { type Mutants, only, withClock } from './mutant.ts'

const EXPIRED = 'consents: an expired one is absent'
const VERSION = 'consents: a write needs the version'
const WITHDRAWN = 'consents: a withdrawn one is read but not listed'
const OWNERS = 'consents: a user and an organisation never meet'
const PAGES = 'consents: pages neither repeat nor skip'
const UNKNOWN = 'unknown: every field of a consent'
const FIELDS = ['owner', 'appId', 'scopes', 'grantedAt', 'state', 'epoch', 'expiresAt', 'version']

export const consentMutants: Mutants = {
  'an owner has one consent': {
    by: 'consents: one per owner and app',
    breaks: owners(
      owner => owner,
      () => 'app',
    ),
  },
  'the version of a consent is not looked at': {
    by: VERSION,
    breaks: naive(() => true),
  },
  'a repeated save of a consent is a conflict': {
    by: VERSION,
    breaks: ({ consents }) => ({
      consents: {
        save: async consent =>
          (await consents.get(consent.owner, consent.appId))?.version === consent.version ? false : consents.save(consent),
      },
    }),
  },
  'any version of a consent may be the first': {
    by: VERSION,
    breaks: naive((known, consent) => known === undefined || known.version === consent.version - 1 || known === consent),
  },
  'the version of a consent is compared before it is written': {
    by: 'consents: of many concurrent savers of one version',
    breaks: hesitating,
  },
  'concurrent answers overwrite each other': {
    by: 'consents: of forty concurrent answers',
    breaks: hesitating,
  },
  'the version of an expired consent is compared before it is written': {
    by: 'consents: of many concurrent savers over an expired one',
    breaks({ consents }) {
      const seen = new Map<string, number>()
      return {
        consents: {
          async save(consent) {
            const known = await consents.get(consent.owner, consent.appId)
            const again = seen.has(consent.appId)
            seen.set(consent.appId, 1)
            await setImmediate()
            return (await consents.save(consent)) || (again && !known)
          },
        },
      }
    },
  },
  'a user and an organisation of one text are one owner': {
    by: OWNERS,
    breaks: owners(owner => ({ userId: 'userId' in owner ? owner.userId : owner.orgId })),
  },
  'what an organisation admits is listed for a user': {
    by: OWNERS,
    breaks: ({ consents }) => ({
      consents: {
        async list(owner, query) {
          const page = await consents.list(owner, query)
          const other = await consents.list('userId' in owner ? { orgId: owner.userId } : { userId: owner.orgId }, query)
          return { ...page, items: [...page.items, ...other.items] }
        },
      },
    }),
  },
  'a withdrawn consent is deleted': {
    by: WITHDRAWN,
    breaks: ({ consents }) => ({
      consents: {
        async get(owner, appId) {
          const consent = await consents.get(owner, appId)
          return consent?.scopes.length === 0 ? undefined : consent
        },
      },
    }),
  },
  'after a withdrawal versions begin again': {
    by: WITHDRAWN,
    breaks({ consents }) {
      const withdrawn = new Map<string, number>()
      return {
        consents: {
          async save(consent) {
            const base = withdrawn.get(consent.appId) ?? 0
            const saved = await consents.save({ ...consent, version: consent.version + base })
            if (saved && consent.scopes.length === 0) withdrawn.set(consent.appId, consent.version + base)
            return saved
          },
        },
      }
    },
  },
  'a withdrawn consent is listed': {
    by: WITHDRAWN,
    breaks({ consents }) {
      const known = new Map<string, Consent>()
      return {
        consents: {
          async save(consent) {
            const saved = await consents.save(consent)
            if (saved) known.set(consent.appId, consent)
            return saved
          },
          list: async owner => ({
            items: [...known.values()].filter(consent => JSON.stringify(consent.owner) === JSON.stringify(owner)),
            next: null,
          }),
        },
      }
    },
  },
  'a consent given again expires with its withdrawal': {
    by: WITHDRAWN,
    breaks({ consents }, now) {
      const until = new Map<string, number>()
      return {
        consents: {
          save(consent) {
            if (consent.expiresAt !== undefined) until.set(consent.appId, consent.expiresAt)
            return consents.save(consent)
          },
          get: async (owner, appId) => ((until.get(appId) ?? Infinity) > now() ? consents.get(owner, appId) : undefined),
        },
      }
    },
  },
  'consents expire a millisecond late': { by: EXPIRED, breaks: (_, now) => withClock('consents', () => now() - 1) },
  'consents expire a millisecond early': { by: EXPIRED, breaks: (_, now) => withClock('consents', () => now() + 1) },
  'consents never expire': { by: EXPIRED, breaks: () => withClock('consents', () => 0) },
  'consents expire by another clock': { by: EXPIRED, breaks: () => withClock('consents', Date.now) },
  'an expired consent is listed': {
    by: EXPIRED,
    breaks(_, now) {
      const late = withClock('consents', () => now() - 1).consents
      const right = withClock('consents', now).consents
      return {
        consents: {
          ...right,
          async save(consent) {
            await late?.save?.(consent)
            return (await right?.save?.(consent)) ?? false
          },
          ...(late?.list ? { list: late.list } : {}),
        },
      }
    },
  },
  'an expired consent keeps its version': {
    by: EXPIRED,
    breaks({ consents }) {
      const versions = new Map<string, number>()
      return {
        consents: {
          async save(consent) {
            const known = versions.get(consent.appId) ?? 0
            if (consent.version <= known && !(await consents.get(consent.owner, consent.appId))) return false
            const saved = await consents.save(consent)
            if (saved) versions.set(consent.appId, consent.version)
            return saved
          },
        },
      }
    },
  },
  'consents are paged by offset': {
    by: PAGES,
    breaks: ({ consents }) => ({
      consents: {
        async list(owner, { after, limit }) {
          const { items } = await consents.list(owner, { limit: 1000 })
          const newest = items.toSorted((a, b) => b.grantedAt - a.grantedAt)
          const offset = Number(after ?? 0)
          return {
            items: newest.slice(offset, offset + limit),
            next: offset + limit < items.length ? String(offset + limit) : null,
          }
        },
      },
    }),
  },
  'consents are in the order of their last write': {
    by: PAGES,
    breaks({ consents }) {
      const written: string[] = []
      return {
        consents: {
          save(consent) {
            written.push(consent.appId)
            return consents.save(consent)
          },
          async list(owner, { after, limit }) {
            const { items } = await consents.list(owner, { limit: 1000 })
            const at = ({ appId }: Consent) => written.lastIndexOf(appId)
            const rest = items.toSorted((a, b) => at(a) - at(b)).filter(consent => at(consent) > Number(after ?? -1))
            const last = rest[limit - 1]
            return { items: rest.slice(0, limit), next: rest.length > limit && last ? String(at(last)) : null }
          },
        },
      }
    },
  },
  'consents have one page': {
    by: PAGES,
    breaks: ({ consents }) => ({
      consents: { list: async (owner, query) => ({ ...(await consents.list(owner, query)), next: null }) },
    }),
  },
  'a page of consents holds them all': {
    by: PAGES,
    breaks: ({ consents }) => ({
      consents: { list: (owner, query) => consents.list(owner, { ...query, limit: 1000 }) },
    }),
  },
  'a page of consents ends where one is withdrawn': {
    by: PAGES,
    breaks({ consents }) {
      const known = new Map<string, Consent>()
      return {
        consents: {
          async save(consent) {
            const saved = await consents.save(consent)
            if (saved) known.set(consent.appId, consent)
            return saved
          },
          async list(owner, { after, limit }) {
            const all = [...known.values()].filter(consent => JSON.stringify(consent.owner) === JSON.stringify(owner))
            const rest = all
              .toSorted((a, b) => (a.appId < b.appId ? -1 : 1))
              .filter(({ appId }) => after === undefined || appId > after)
            const items = rest.slice(0, limit).filter(({ scopes }) => scopes.length > 0)
            return { items, next: items.length === limit ? (items.at(-1)?.appId ?? null) : null }
          },
        },
      }
    },
  },
  'fields of a consent that are not known are lost': {
    by: UNKNOWN,
    breaks: ({ consents }) => ({ consents: { save: consent => consents.save(only(consent, FIELDS)) } }),
  },
  'fields of an owner that are not known are lost': {
    by: UNKNOWN,
    breaks: owners(owner => ('userId' in owner ? { userId: owner.userId } : { orgId: owner.orgId })),
  },
  'an owner with a field that is not known is another': {
    by: UNKNOWN,
    breaks: owners(owner =>
      'userId' in owner ? { ...owner, userId: JSON.stringify(owner) } : { ...owner, orgId: JSON.stringify(owner) },
    ),
  },
  'a new state is refused': {
    by: UNKNOWN,
    breaks: ({ consents }) => ({
      consents: {
        async save(consent) {
          if (!['pending', 'allowed', 'refused', undefined].includes(consent.state)) throw new Error('violates check constraint')
          return consents.save(consent)
        },
      },
    }),
  },
}

/** A store that takes one owner for another. */
export function owners(
  fold: (owner: ConsentOwner) => ConsentOwner,
  foldApp = (appId: string) => appId,
): Mutants[string]['breaks'] {
  return ({ consents }) => ({
    consents: {
      get: (owner, appId) => consents.get(fold(owner), foldApp(appId)),
      list: (owner, query) => consents.list(fold(owner), query),
      save: consent => consents.save({ ...consent, owner: fold(consent.owner), appId: foldApp(consent.appId) }),
    },
  })
}

function naive(may: (known: Consent | undefined, consent: Consent) => boolean): Mutants[string]['breaks'] {
  return () => {
    const known = new Map<string, Consent>()
    const key = (owner: ConsentOwner, appId: string) => JSON.stringify([owner, appId])
    return {
      consents: {
        get: async (owner, appId) => known.get(key(owner, appId)),
        async save(consent) {
          const id = key(consent.owner, consent.appId)
          if (!may(known.get(id), consent)) return false
          known.set(id, consent)
          return true
        },
      },
    }
  }
}

/** Waits between reading the version and writing. */
function hesitating(): { readonly consents: Partial<Store['consents']> } {
  const known = new Map<string, Consent>()
  const key = (owner: ConsentOwner, appId: string) => JSON.stringify([owner, appId])
  return {
    consents: {
      get: async (owner, appId) => known.get(key(owner, appId)),
      async save(consent) {
        const id = key(consent.owner, consent.appId)
        const version = known.get(id)?.version ?? 0
        await setImmediate()
        if (version !== consent.version - 1) return false
        known.set(id, consent)
        return true
      },
    },
  }
}

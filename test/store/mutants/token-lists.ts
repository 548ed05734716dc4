import type { Mutants } from './mutant.ts'

const LIVE = 'grants: a list is of live tokens only'
const PAGES = 'grants: pages neither repeat nor skip'

export const tokenListMutants: Mutants = {
  "a user's list is of one app": {
    by: 'grants: the tokens of a user are listed',
    breaks: ({ grants }) => ({
      grants: {
        async listTokens(query) {
          const page = await grants.listTokens(query)
          const appId = page.items[0]?.grant.appId
          return 'userId' in query ? { ...page, items: page.items.filter(({ grant }) => grant.appId === appId) } : page
        },
      },
    }),
  },
  'a list ignores the epoch': {
    by: 'grants: an epoch divides',
    breaks: ({ grants }) => ({
      grants: {
        async listTokens(query) {
          const page = await grants.listTokens(query)
          if ('userId' in query) return page
          const other = await grants.listTokens({ ...query, epoch: query.epoch === 1 ? 2 : 1 })
          return { ...page, total: page.total + other.total }
        },
      },
    }),
  },
  'a list counts spent tokens': {
    by: LIVE,
    breaks({ grants }) {
      let spent = 0
      return {
        grants: {
          async rotate(found, next, replay) {
            spent++
            return grants.rotate(found, next, replay)
          },
          async listTokens(query) {
            const page = await grants.listTokens(query)
            return { ...page, total: page.total + spent }
          },
        },
      }
    },
  },
  'a list counts expired tokens': {
    by: LIVE,
    breaks({ grants }, now) {
      const seen = new Map<string, number>()
      return {
        grants: {
          async create(grant, tokens) {
            for (const { expiresAt, id } of tokens) seen.set(id, expiresAt)
            return grants.create(grant, tokens)
          },
          async listTokens(query) {
            const page = await grants.listTokens(query)
            return { ...page, total: page.total + [...seen.values()].filter(expiresAt => expiresAt <= now()).length }
          },
        },
      }
    },
  },
  'a list of tokens is oldest first': {
    by: LIVE,
    breaks: ({ grants }) => ({
      grants: {
        async listTokens(query) {
          const page = await grants.listTokens(query)
          return { ...page, items: page.items.toReversed() }
        },
      },
    }),
  },
  'a limit of 0 is no limit': {
    by: LIVE,
    breaks: ({ grants }) => ({ grants: { listTokens: query => grants.listTokens({ ...query, limit: query.limit || 100 }) } }),
  },
  'tokens are paged by offset': {
    by: PAGES,
    breaks: ({ grants }) => ({
      grants: {
        async listTokens({ after, limit, ...whose }) {
          const { items, total } = await grants.listTokens({ ...whose, limit: 1e6 })
          const offset = Number(after ?? 0)
          return {
            items: items.slice(offset, offset + limit),
            total,
            next: offset + limit < total ? String(offset + limit) : null,
          }
        },
      },
    }),
  },
  'a page cursor is an instant': {
    by: PAGES,
    breaks: ({ grants }) => ({
      grants: {
        async listTokens({ after, limit, ...whose }) {
          const { items, total } = await grants.listTokens({ ...whose, limit: 1e6 })
          const rest = items.filter(({ token }) => after === undefined || token.issuedAt < Number(after))
          const page = rest.slice(0, limit)
          return { items: page, total, next: rest.length > limit ? String(page.at(-1)?.token.issuedAt) : null }
        },
      },
    }),
  },
  'the last page leads to itself': {
    by: PAGES,
    breaks: ({ grants }) => ({
      grants: {
        async listTokens(query) {
          const page = await grants.listTokens(query)
          return { ...page, next: page.next ?? query.after ?? null }
        },
      },
    }),
  },
}

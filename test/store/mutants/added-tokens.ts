import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { GrantedToken, Store, Token } from 'authmount'
import type { Mutants } from './mutant.ts'

const ADDED = 'grants: tokens are added to a live grant'
const MISSING = 'grants: nothing is added without'
const CONTENT = 'grants: adding a token whose id is there'

export const addMutants: Mutants = {
  'add does nothing': { by: ADDED, breaks: () => ({ grants: { add: async () => 'added' } }) },
  'add spends the presented token': {
    by: ADDED,
    breaks: ({ grants }) => ({
      grants: {
        add: async (found, tokens) => ((await grants.rotate(found, tokens, 'added')) === 'rotated' ? 'added' : 'missing'),
      },
    }),
  },
  'added tokens outlive their grant': {
    by: ADDED,
    breaks({ grants }) {
      const added = new Map<string, GrantedToken>()
      return {
        grants: {
          async add(found, tokens) {
            const outcome = await grants.add(found, tokens)
            if (outcome === 'added') for (const token of tokens) added.set(token.id, { grant: found.grant, token })
            return outcome
          },
          async find(ref) {
            const late = added.get(ref.tokenId)
            return (await grants.find(ref)) ?? (late && { ...late, spent: null })
          },
        },
      }
    },
  },
  'the same tokens added again are counted again': {
    by: 'grants: adding the same tokens again',
    breaks({ grants }) {
      const added = new Set<string>()
      let more = 0
      return {
        grants: {
          async add(found, tokens) {
            for (const { id } of tokens) if (added.has(id)) more++
            for (const { id } of tokens) added.add(id)
            return grants.add(found, tokens)
          },
          async listTokens(query) {
            const page = await grants.listTokens(query)
            return { ...page, total: page.total + more }
          },
        },
      }
    },
  },
  'the same tokens added again are rejected': {
    by: 'grants: adding the same tokens again',
    breaks({ grants }) {
      const added = new Set<string>()
      return {
        grants: {
          async add(found, tokens) {
            if (tokens.some(({ id }) => added.has(id))) throw new Error('duplicate key')
            for (const { id } of tokens) added.add(id)
            return grants.add(found, tokens)
          },
        },
      }
    },
  },
  'a token of other content is taken for the same': { by: CONTENT, breaks: adding(async () => 'same') },
  'a token of other content replaces the one that is there': {
    by: CONTENT,
    breaks: adding(async (grants, found, token) => {
      await grants.revokeToken({ grantId: found.grant.id, tokenId: token.id })
      return 'other'
    }),
  },
  'a rejected addition has added the tokens before': {
    by: CONTENT,
    breaks: ({ grants }) => ({
      grants: {
        async add(found, tokens) {
          for (const token of tokens) if ((await grants.add(found, [token])) === 'missing') return 'missing'
          return 'added'
        },
      },
    }),
  },
  'add takes any kind of token': { by: MISSING, breaks: presenting(({ kind }) => kind === 'access') },
  'add takes the kind from what the caller read': {
    by: 'grants: what the caller read a moment ago decides nothing about an addition',
    breaks: ({ grants }) => ({
      grants: { add: async (found, tokens) => (found.token.kind === 'refresh' ? grants.add(found, tokens) : 'missing') },
    }),
  },
  'add indexes by the user that the caller read': {
    by: 'grants: what the caller read a moment ago decides nothing about an addition',
    breaks({ grants }) {
      const read = new Set<string | null>()
      return {
        grants: {
          add(found, tokens) {
            read.add(found.grant.userId)
            return grants.add(found, tokens)
          },
          async listTokens(query) {
            const page = await grants.listTokens(query)
            return 'userId' in query && read.has(query.userId) ? { ...page, total: Math.max(1, page.total) } : page
          },
        },
      }
    },
  },
  'add takes a spent token': {
    by: MISSING,
    breaks: ({ grants }) => ({
      grants: {
        async add(found, tokens) {
          const there = await grants.find({ grantId: found.grant.id, tokenId: found.token.id })
          return there?.spent ? 'added' : grants.add(found, tokens)
        },
      },
    }),
  },
  'add takes a token that was revoked, if its grant lives': {
    by: MISSING,
    breaks({ grants }) {
      const revoked = new Set<string>()
      return {
        grants: {
          async revokeToken(ref) {
            revoked.add(ref.tokenId)
            return grants.revokeToken(ref)
          },
          add: async (found, tokens) => (revoked.has(found.token.id) ? 'added' : grants.add(found, tokens)),
        },
      }
    },
  },
  'add takes a token that has expired': {
    by: MISSING,
    breaks: ({ grants }, now) => ({
      grants: { add: async (found, tokens) => (found.token.expiresAt <= now() ? 'added' : grants.add(found, tokens)) },
    }),
  },
  'an addition does not prolong its grant': {
    by: 'grants: an addition prolongs',
    breaks({ grants }, now) {
      const until = new Map<string, number>()
      return {
        grants: {
          create(grant, tokens) {
            until.set(grant.id, Math.max(...tokens.map(({ expiresAt }) => expiresAt)))
            return grants.create(grant, tokens)
          },
          find: async ref => ((until.get(ref.grantId) ?? Infinity) > now() ? grants.find(ref) : undefined),
        },
      }
    },
  },
  'concurrent additions overwrite each other': {
    by: 'grants: many concurrent additions',
    breaks({ grants }) {
      const added = new Map<string, readonly Token[]>()
      return {
        grants: {
          async add(found, tokens) {
            const known = added.get(found.grant.id) ?? []
            await setImmediate()
            const outcome = await grants.add(found, tokens)
            added.set(found.grant.id, [...known, ...tokens])
            return outcome
          },
          async find(ref) {
            const found = await grants.find(ref)
            const lost =
              found?.token.kind === 'access' &&
              added.has(ref.grantId) &&
              !added.get(ref.grantId)?.some(({ id }) => id === ref.tokenId)
            return lost ? undefined : found
          },
        },
      }
    },
  },
  'concurrent additions give up': {
    by: 'grants: many concurrent additions',
    breaks({ grants }) {
      let busy = 0
      return {
        grants: {
          async add(found, tokens) {
            busy++
            await setImmediate()
            const outcome = busy > 10 ? 'missing' : await grants.add(found, tokens)
            busy--
            return outcome
          },
        },
      }
    },
  },
  'add looks, then writes': {
    by: 'grants: a rotation beside concurrent additions',
    breaks({ grants }) {
      const late = new Map<string, GrantedToken>()
      return {
        grants: {
          async add(found, tokens) {
            const there = await grants.find({ grantId: found.grant.id, tokenId: found.token.id })
            await setImmediate()
            if (!there || there.spent) return 'missing'
            const outcome = await grants.add(found, tokens)
            // The look was before the rotation, the write is after it.
            if (outcome === 'missing') for (const token of tokens) late.set(token.id, { grant: found.grant, token })
            return outcome
          },
          async find(ref) {
            const granted = late.get(ref.tokenId)
            return (await grants.find(ref)) ?? (granted && { ...granted, spent: null })
          },
        },
      }
    },
  },
}

type Grants = Store['grants']

/** An `add` with an idea of its own of tokens that are there with other content. */
function adding(
  conflict: (grants: Grants, found: GrantedToken, token: Token) => Promise<'same' | 'other'>,
): Mutants[string]['breaks'] {
  return ({ grants }) => ({
    grants: {
      async add(found, tokens) {
        const left: Token[] = []
        for (const token of tokens) {
          const there = await grants.find({ grantId: found.grant.id, tokenId: token.id })
          if (!there || isDeepStrictEqual(there.token, token) || (await conflict(grants, found, token)) === 'other')
            left.push(token)
        }
        return grants.add(found, left)
      },
    },
  })
}

/** An `add` that is content with a live token of another kind. */
function presenting(enough: (token: Token) => boolean): Mutants[string]['breaks'] {
  return ({ grants }) => ({
    grants: {
      async add(found, tokens) {
        const there = await grants.find({ grantId: found.grant.id, tokenId: found.token.id })
        return there && enough(there.token) ? 'added' : grants.add(found, tokens)
      },
    },
  })
}

import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Grant, RevokeQuery, Spent, Store, Token } from 'authmount'
import { type Mutants, only, withClock } from './mutant.ts'

type Grants = Store['grants']

const GRANT = ['id', 'appId', 'orgId', 'userId', 'scopes', 'createdAt', 'epoch', 'context']
const TOKEN = ['id', 'kind', 'scopes', 'audience', 'claims', 'jkt', 'issuedAt', 'expiresAt']
const EXPIRED = 'grants: an expired token is absent'
const GONE = 'grants: an expired grant is absent'
const TWICE = 'grants: creating the same grant twice'
const UNKNOWN = 'unknown: every field of a grant'
const REPEAT = 'grants: a repeat of what ended something'

export const grantMutants: Mutants = {
  'a token is found under any grant': {
    by: 'grants: what is created is what is found',
    breaks({ grants }) {
      const refs = new Map<string, string>()
      return {
        grants: {
          create(grant, tokens) {
            for (const { id } of tokens) refs.set(id, grant.id)
            return grants.create(grant, tokens)
          },
          find: ({ grantId, tokenId }) => grants.find({ grantId: refs.get(tokenId) ?? grantId, tokenId }),
        },
      }
    },
  },
  'an empty audience is none': {
    by: 'grants: what is created is what is found',
    breaks: ({ grants }) => ({
      grants: {
        async find(ref) {
          const found = await grants.find(ref)
          return (
            found && { ...found, token: only(found.token, found.token.audience?.length === 0 ? TOKEN.toSpliced(3, 1) : TOKEN) }
          )
        },
      },
    }),
  },
  'nobody is the user of no name': {
    by: 'grants: a grant of no user',
    breaks: ({ grants }) => ({
      grants: { create: (grant, tokens) => grants.create({ ...grant, userId: grant.userId ?? '' }, tokens) },
    }),
  },
  'create overwrites a grant': {
    by: TWICE,
    breaks: ({ grants }) => ({
      grants: {
        async create(grant, tokens) {
          await grants.revoke(grant.id)
          return grants.create(grant, tokens)
        },
      },
    }),
  },
  'create says false to its own repeat': {
    by: TWICE,
    breaks({ grants }) {
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
  },
  'a repeated create says true whatever the tokens': {
    by: 'grants: creating a grant that is there with tokens that are not',
    breaks({ grants }) {
      const made = new Map<string, Grant>()
      return {
        grants: {
          async create(grant, tokens) {
            if (isDeepStrictEqual(made.get(grant.id), grant)) return true
            made.set(grant.id, grant)
            return grants.create(grant, tokens)
          },
        },
      }
    },
  },
  'a repeated create adds the tokens that are missing': {
    by: 'grants: creating a grant that is there with tokens that are not',
    breaks({ grants }) {
      const made = new Map<string, Token>()
      return {
        grants: {
          async create(grant, tokens) {
            const token = made.get(grant.id)
            if (token) return (await grants.add({ grant, token }, tokens)) === 'added'
            const refresh = tokens.find(({ kind }) => kind === 'refresh')
            if (refresh) made.set(grant.id, refresh)
            return grants.create(grant, tokens)
          },
        },
      }
    },
  },
  'a refused create leaves its tokens': {
    by: TWICE,
    breaks: ({ grants }) => ({
      grants: {
        async create(grant, tokens) {
          const created = await grants.create(grant, tokens)
          if (!created && tokens.length === 1) {
            await grants.revoke(grant.id)
            await grants.create(grant, tokens)
          }
          return created
        },
      },
    }),
  },
  'tokens never expire': { by: EXPIRED, breaks: () => withClock('grants', () => 0) },
  'tokens expire a millisecond late': { by: EXPIRED, breaks: (_, now) => withClock('grants', () => now() - 1) },
  'tokens expire a millisecond early': { by: EXPIRED, breaks: (_, now) => withClock('grants', () => now() + 1) },
  'tokens expire by another clock': { by: EXPIRED, breaks: () => withClock('grants', Date.now) },
  'an expired token can be revoked': {
    by: EXPIRED,
    breaks({ grants }) {
      return { grants: { revokeToken: async ref => (await grants.revokeToken(ref)) || true } }
    },
  },
  'a grant dies with its first token': {
    by: EXPIRED,
    breaks: ({ grants }, now) => ({
      grants: {
        create: (grant, tokens) => grants.create(grant, tokens),
        async find(ref) {
          const found = await grants.find(ref)
          return found && now() - Date.now() > 590_000 && found.token.kind === 'refresh' ? undefined : found
        },
      },
    }),
  },
  'an expired grant holds its id': { by: GONE, breaks: holdingIds },
  'a grant whose tokens are revoked holds its id': { by: 'grants: a grant whose last token is revoked', breaks: holdingIds },
  'revoke counts an expired grant': {
    by: GONE,
    breaks({ grants }) {
      const made = new Set<string>()
      return {
        grants: {
          async create(grant, tokens) {
            made.add(grant.id)
            return grants.create(grant, tokens)
          },
          revoke: async id => (await grants.revoke(id)) || made.has(id),
        },
      }
    },
  },
  'revokeMany counts expired grants': {
    by: GONE,
    breaks: tracking(({ grants }, made) => ({
      async revokeMany(query) {
        const matching = made.splice(0).filter(({ grant }) => matches(query, grant)).length
        return Math.max(matching, await grants.revokeMany(query))
      },
    })),
  },
  'a grant whose tokens are revoked is there': {
    by: 'grants: a grant whose last token is revoked',
    breaks({ grants }) {
      const emptied = new Set<string>()
      return {
        grants: {
          async revokeToken(ref) {
            emptied.add(ref.grantId)
            return grants.revokeToken(ref)
          },
          revoke: async id => (await grants.revoke(id)) || emptied.has(id),
        },
      }
    },
  },
  'revoke reads, then removes': {
    by: 'grants: many who create one grant',
    breaks({ grants }) {
      const there = new Set<string>()
      return {
        grants: {
          async create(grant, tokens) {
            const created = await grants.create(grant, tokens)
            if (created) there.add(grant.id)
            return created
          },
          async revoke(id) {
            const live = there.has(id)
            await setImmediate()
            there.delete(id)
            await grants.revoke(id)
            return live
          },
        },
      }
    },
  },
  'create reads, then writes': {
    by: 'grants: many who create one grant',
    breaks: tracking(({ grants }, made) => ({
      async create(grant, tokens) {
        const known = made.find(one => one.grant.id === grant.id)
        await setImmediate()
        if (known) return isDeepStrictEqual(known.grant, grant)
        await grants.revoke(grant.id)
        return grants.create(grant, tokens)
      },
    })),
  },
  'revoke leaves the successors': {
    by: 'grants: a revocation ends what concurrent',
    breaks({ grants }) {
      const late = new Set<string>()
      return {
        grants: {
          async revoke(grantId) {
            if (late.has(grantId)) return false
            late.add(grantId)
            const { items } = await grants.listTokens({ appId: grantId.slice(0, 24), epoch: 1, limit: 100 })
            await setImmediate()
            for (const { token } of items) await grants.revokeToken({ grantId, tokenId: token.id })
            return items.length > 0
          },
        },
      }
    },
  },
  'rotate revives a revoked grant': {
    by: 'grants: revoking a grant ends every token',
    breaks: tracking(({ grants }, made) => ({
      async rotate(found, next, replay) {
        const outcome = await grants.rotate(found, next, replay)
        const known = made.find(({ grant }) => grant.id === found.grant.id)
        if (outcome === 'missing' && known) await grants.create(known.grant, next)
        return outcome
      },
    })),
  },
  'add revives a revoked grant': {
    by: 'grants: revoking a grant ends every token',
    breaks: tracking(({ grants }, made) => ({
      async add(found, tokens) {
        const outcome = await grants.add(found, tokens)
        const known = made.find(({ grant }) => grant.id === found.grant.id)
        if (outcome === 'missing' && known) await grants.create(known.grant, tokens)
        return outcome
      },
    })),
  },
  'revokeToken revokes the grant': {
    by: 'grants: revoking a token leaves the rest',
    breaks: ({ grants }) => ({ grants: { revokeToken: ({ grantId }) => grants.revoke(grantId) } }),
  },
  'a repeated revoke says true': {
    by: REPEAT,
    breaks: ({ grants }) => ({ grants: { revoke: async id => (await grants.revoke(id)) || true } }),
  },
  'a repeated revokeToken says true': {
    by: REPEAT,
    breaks({ grants }) {
      const revoked = new Set<string>()
      return {
        grants: {
          async revokeToken(ref) {
            const known = revoked.has(ref.tokenId)
            revoked.add(ref.tokenId)
            return (await grants.revokeToken(ref)) || known
          },
        },
      }
    },
  },
  'a repeated revokeMany counts again': {
    by: REPEAT,
    breaks({ grants }) {
      const counts = new Map<string, number>()
      return {
        grants: {
          async revokeMany(query) {
            const key = JSON.stringify(query)
            const count = (await grants.revokeMany(query)) || counts.get(key) || 0
            counts.set(key, count)
            return count
          },
        },
      }
    },
  },
  'revoking by app ignores the user': {
    by: 'grants: revoking by app ends all',
    breaks: ({ grants }) => ({ grants: { revokeMany: ({ userId: _, ...query }) => grants.revokeMany(query) } }),
  },
  'revoking ignores the epoch': {
    by: 'grants: every member of a query',
    breaks: ({ grants }) => ({ grants: { revokeMany: ({ epochBelow: _, ...query }) => grants.revokeMany(query) } }),
  },
  'revoking by user and app ignores the organisation': {
    by: 'grants: every member of a query',
    breaks: ({ grants }) => ({ grants: { revokeMany: ({ orgId: _, ...query }) => grants.revokeMany(query) } }),
  },
  'revoking up to an epoch takes that one too': {
    by: 'grants: every member of a query',
    breaks: ({ grants }) => ({
      grants: {
        revokeMany: ({ epochBelow, ...query }) =>
          grants.revokeMany({ ...query, ...(epochBelow === undefined ? {} : { epochBelow: epochBelow + 1 }) }),
      },
    }),
  },
  'revoking by user does nothing': {
    by: 'grants: the tokens of a user are listed, and revoked',
    breaks: ({ grants }) => ({
      grants: { revokeMany: async query => (query.appId === undefined ? 0 : grants.revokeMany(query)) },
    }),
  },
  'revoking by organisation does nothing': {
    by: 'grants: revoking by organisation',
    breaks: ({ grants }) => ({ grants: { revokeMany: ({ orgId: _, ...query }) => grants.revokeMany(query) } }),
  },
  'revoking by organisation takes a user of the same text': {
    by: 'grants: revoking by organisation',
    breaks: ({ grants }) => ({
      grants: {
        async revokeMany(query) {
          const { orgId, ...rest } = query
          const more = orgId === undefined || rest.userId !== undefined ? 0 : await grants.revokeMany({ ...rest, userId: orgId })
          return (await grants.revokeMany(query)) + 0 * more
        },
      },
    }),
  },
  'revoking by organisation leaves apps that act for themselves': {
    by: 'grants: revoking by organisation',
    breaks: tracking(({ grants }, made) => ({
      async revokeMany(query) {
        let revoked = 0
        for (const { grant } of made)
          if (matches(query, grant) && (query.orgId === undefined || grant.userId !== null) && (await grants.revoke(grant.id)))
            revoked++
        return revoked
      },
    })),
  },
  'a query that names nothing revokes everything': {
    by: 'grants: a query that names no app',
    breaks: tracking(({ grants }, made) => ({
      async revokeMany(query) {
        if (Object.keys(query).some(name => name !== 'epochBelow')) return grants.revokeMany(query)
        for (const { grant } of made) await grants.revoke(grant.id)
        return made.length
      },
    })),
  },
  ...Object.fromEntries(
    [5, 100, 1000].map(limit => [
      `revokeMany stops after ${limit}`,
      {
        by: 'grants: however many grants match',
        breaks: tracking(({ grants }, made) => ({
          async revokeMany(query) {
            let revoked = 0
            for (const { grant } of made)
              if (revoked < limit && matches(query, grant) && (await grants.revoke(grant.id))) revoked++
            return revoked
          },
        })),
      } satisfies Mutants[string],
    ]),
  ),
  'two revocations at once count the same grants': {
    by: 'grants: concurrent revocations by app, user',
    breaks: tracking(({ grants }, made) => ({
      async revokeMany(query) {
        const live: string[] = []
        for (const { grant } of made)
          if (matches(query, grant) && (await grants.listTokens({ appId: grant.appId, epoch: grant.epoch, limit: 0 })).total > 0)
            live.push(grant.id)
        await setImmediate()
        await grants.revokeMany(query)
        return live.length
      },
    })),
  },
  'concurrent revocations meet in a deadlock': {
    by: 'grants: concurrent revocations by app, user',
    breaks({ grants }) {
      let busy = 0
      return {
        grants: {
          async revokeMany(query) {
            busy++
            await setImmediate()
            if (busy > 1) throw new Error('deadlock detected')
            return grants.revokeMany(query)
          },
        },
      }
    },
  },
  'fields of a grant that are not known are lost': {
    by: UNKNOWN,
    breaks: ({ grants }) => ({ grants: { create: (grant, tokens) => grants.create(only(grant, GRANT), tokens) } }),
  },
  'fields of a token that are not known are lost when it is created': {
    by: UNKNOWN,
    breaks: ({ grants }) => ({ grants: { create: (grant, tokens) => grants.create(grant, tokens.map(known)) } }),
  },
  'fields of a token that are not known are lost in a rotation': {
    by: UNKNOWN,
    breaks: ({ grants }) => ({ grants: { rotate: (found, next, replay) => grants.rotate(found, next.map(known), replay) } }),
  },
  'fields of a token that are not known are lost when it is added': {
    by: UNKNOWN,
    breaks: ({ grants }) => ({ grants: { add: (found, tokens) => grants.add(found, tokens.map(known)) } }),
  },
  'fields of a token that are not known are lost in a list': {
    by: UNKNOWN,
    breaks: ({ grants }) => ({
      grants: {
        async listTokens(query) {
          const page = await grants.listTokens(query)
          return { ...page, items: page.items.map(({ grant, token }) => ({ grant, token: known(token) })) }
        },
      },
    }),
  },
  'fields of a grant that are not known are not compared': {
    by: UNKNOWN,
    breaks: tracking(({ grants }, made) => ({
      async create(grant, tokens) {
        const there = made.find(one => one.grant.id === grant.id)
        if (there) return isDeepStrictEqual(only(there.grant, GRANT), only(grant, GRANT))
        return grants.create(grant, tokens)
      },
    })),
  },
  'a new kind of token is refused': {
    by: 'unknown: a token of a new kind',
    breaks: ({ grants }) => ({
      grants: {
        async add(found, tokens) {
          if (tokens.some(({ kind }) => kind !== 'access' && kind !== 'refresh')) throw new Error('invalid input value for enum')
          return grants.add(found, tokens)
        },
      },
    }),
  },
  'a new kind of token is taken for a refresh token': {
    by: 'unknown: a token of a new kind',
    breaks: ({ grants }) => ({
      grants: {
        async rotate(found, next, replay) {
          const there = await grants.find({ grantId: found.grant.id, tokenId: found.token.id })
          return there && there.token.kind !== 'access' ? 'rotated' : grants.rotate(found, next, replay)
        },
      },
    }),
  },
}

export const rotateMutants: Mutants = {
  'rotate finds, then writes': {
    by: 'grants: of many concurrent rotations',
    breaks({ grants }) {
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
  },
  'rotate writes the successor of a reused token': {
    by: 'grants: a second rotation',
    breaks({ grants }) {
      const added = new Map<string, { readonly grant: Grant; readonly token: Token }>()
      return {
        grants: {
          async rotate(found, next, replay) {
            const outcome = await grants.rotate(found, next, replay)
            if (outcome === 'reused') for (const token of next) added.set(token.id, { grant: found.grant, token })
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
  'rotate says reused to its own repeat': {
    by: 'grants: a second rotation',
    breaks({ grants }) {
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
  },
  'the loser of a rotation overwrites the replay': {
    by: 'grants: a second rotation',
    breaks({ grants }) {
      const replays = new Map<string, string>()
      return {
        grants: {
          async rotate(found, next, replay) {
            const outcome = await grants.rotate(found, next, replay)
            if (outcome === 'reused') replays.set(found.token.id, replay)
            return outcome
          },
          async find(ref) {
            const found = await grants.find(ref)
            const replay = replays.get(ref.tokenId)
            const spent: Spent | null = found?.spent ? { at: found.spent.at, replay: replay ?? found.spent.replay } : null
            return found && { ...found, spent }
          },
        },
      }
    },
  },
  'a replay is cut at 255': {
    by: 'grants: a replay of 8 KiB',
    breaks: ({ grants }) => ({ grants: { rotate: (found, next, replay) => grants.rotate(found, next, replay.slice(0, 255)) } }),
  },
  'a replay is compared without its last character': {
    by: 'grants: a replay of 8 KiB',
    breaks: ({ grants }) => ({ grants: { rotate: (found, next, replay) => grants.rotate(found, next, replay.slice(0, 8191)) } }),
  },
  'rotate spends any kind of token': {
    by: 'grants: only a refresh token of the grant',
    breaks: ({ grants }) => ({
      grants: {
        async rotate(found, next, replay) {
          const there = await grants.find({ grantId: found.grant.id, tokenId: found.token.id })
          const outcome = await grants.rotate(found, next, replay)
          return there && outcome === 'missing' ? 'rotated' : outcome
        },
      },
    }),
  },
  'rotate takes the kind from what the caller read': {
    by: 'grants: what the caller read a moment ago decides nothing about a rotation',
    breaks: ({ grants }) => ({
      grants: {
        rotate: async (found, next, replay) => (found.token.kind === 'refresh' ? grants.rotate(found, next, replay) : 'missing'),
      },
    }),
  },
  'rotate takes an access token for what the caller says it is': {
    by: 'grants: what the caller read a moment ago decides nothing about a rotation',
    breaks: ({ grants }) => ({
      grants: {
        async rotate(found, next, replay) {
          const there = await grants.find({ grantId: found.grant.id, tokenId: found.token.id })
          return there?.token.kind === 'access' && found.token.kind === 'refresh' ? 'rotated' : grants.rotate(found, next, replay)
        },
      },
    }),
  },
  'rotate indexes by the user that the caller read': {
    by: 'grants: what the caller read a moment ago decides nothing about a rotation',
    breaks: indexedBy('userId'),
  },
  'rotate indexes by the epoch that the caller read': {
    by: 'grants: what the caller read a moment ago decides nothing about a rotation',
    breaks: indexedBy('epoch'),
  },
  'rotate looks whether what the caller read has expired': {
    by: 'grants: what the caller read a moment ago decides nothing about a rotation',
    breaks: ({ grants }, now) => ({
      grants: {
        rotate: async (found, next, replay) => (found.token.expiresAt > now() ? grants.rotate(found, next, replay) : 'missing'),
      },
    }),
  },
  'rotate forgets what was spent': {
    by: 'grants: a rotation spends the old token',
    breaks: ({ grants }) => ({
      grants: {
        async rotate(found, next, replay) {
          const outcome = await grants.rotate(found, next, replay)
          if (outcome === 'rotated') await grants.revokeToken({ grantId: found.grant.id, tokenId: found.token.id })
          return outcome
        },
      },
    }),
  },
  'a token is spent at the time of another clock': {
    by: 'grants: a rotation spends the old token',
    breaks: ({ grants }) => ({
      grants: {
        async find(ref) {
          const found = await grants.find(ref)
          return found && { ...found, spent: found.spent && { ...found.spent, at: Date.now() } }
        },
      },
    }),
  },
  'rotate drops the other tokens of its grant': {
    by: 'grants: a long line of rotations',
    breaks: ({ grants }) => ({
      grants: {
        async rotate(found, next, replay) {
          const outcome = await grants.rotate(found, next, replay)
          const { items } = await grants.listTokens({ appId: found.grant.appId, epoch: 1, limit: 100 })
          const kept = new Set(next.map(({ id }) => id))
          for (const { grant, token } of items)
            if (!kept.has(token.id)) await grants.revokeToken({ grantId: grant.id, tokenId: token.id })
          return outcome
        },
      },
    }),
  },
  'an expired refresh token can be rotated': {
    by: 'grants: a refresh token can be rotated until',
    breaks(_, now) {
      const late = withClock('grants', () => now() - 1).grants
      return { grants: { ...late } }
    },
  },
  'a rotation does not prolong its grant': { by: 'grants: a rotation prolongs', breaks: notProlonging('find') },
  'a rotation does not prolong the list of its app': { by: 'grants: a rotation prolongs', breaks: notProlonging('listTokens') },
  'a rotation shortens its grant': {
    by: 'grants: a rotation prolongs',
    breaks({ grants }, now) {
      const until = new Map<string, number>()
      return {
        grants: {
          rotate(found, next, replay) {
            until.set(found.grant.id, next.at(-1)?.expiresAt ?? 0)
            return grants.rotate(found, next, replay)
          },
          find: async ref => ((until.get(ref.grantId) ?? Infinity) > now() ? grants.find(ref) : undefined),
        },
      }
    },
  },
}

type Made = { readonly grant: Grant; readonly tokens: readonly Token[] }

/** Broken methods that know every grant that was created. */
function tracking(breaks: (store: Store, made: Made[]) => Partial<Grants>): Mutants[string]['breaks'] {
  return store => {
    const made: Made[] = []
    const broken = breaks(store, made)
    const create = broken.create ?? store.grants.create
    return {
      grants: {
        ...broken,
        async create(grant, tokens) {
          const created = await create(grant, tokens)
          if (created) made.push({ grant, tokens })
          return created
        },
      },
    }
  }
}

function holdingIds({ grants }: Store): { readonly grants: Partial<Grants> } {
  const made = new Map<string, Grant>()
  return {
    grants: {
      async create(grant, tokens) {
        const known = made.get(grant.id)
        if (known && !isDeepStrictEqual(known, grant)) return false
        made.set(grant.id, grant)
        return grants.create(grant, tokens)
      },
    },
  }
}

function notProlonging(method: 'find' | 'listTokens'): Mutants[string]['breaks'] {
  return ({ grants }, now) => {
    const until = new Map<string, number>()
    const expired = (appId: string) => (until.get(appId) ?? Infinity) <= now()
    const create: Grants['create'] = (grant, tokens) => {
      until.set(grant.appId, Math.max(...tokens.map(({ expiresAt }) => expiresAt)))
      return grants.create(grant, tokens)
    }
    if (method === 'find')
      return { grants: { create, find: async ref => (expired(ref.grantId.slice(0, 24)) ? undefined : grants.find(ref)) } }
    const nothing = { items: [], total: 0, next: null }
    return {
      grants: {
        create,
        listTokens: async query => ('appId' in query && expired(query.appId) ? nothing : grants.listTokens(query)),
      },
    }
  }
}

/** A list that believes what was read before a rotation. */
function indexedBy(name: 'userId' | 'epoch'): Mutants[string]['breaks'] {
  return ({ grants }) => {
    const read = new Map<unknown, number>()
    return {
      grants: {
        rotate(found, next, replay) {
          read.set(found.grant[name], next.length)
          return grants.rotate(found, next, replay)
        },
        async listTokens(query) {
          const page = await grants.listTokens(query)
          const value =
            name === 'userId' ? ('userId' in query ? query.userId : undefined) : 'epoch' in query ? query.epoch : undefined
          return { ...page, total: Math.max(page.total, read.get(value) ?? 0) }
        },
      },
    }
  }
}

function matches({ appId, epochBelow = Infinity, orgId, userId }: RevokeQuery, grant: Grant): boolean {
  return (
    (appId === undefined || grant.appId === appId) &&
    (userId === undefined || grant.userId === userId) &&
    (orgId === undefined || grant.orgId === orgId) &&
    (appId ?? userId ?? orgId) !== undefined &&
    grant.epoch < epochBelow
  )
}

function known(token: Token): Token {
  return only(token, TOKEN)
}

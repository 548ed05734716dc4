import { setImmediate } from 'node:timers/promises'
import type { OneTime, OneTimeKind } from 'authmount'
import { type Mutants, only, withClock } from './mutant.ts'

const KINDS = [
  'code',
  'consent',
  'pushed',
  'consent_lookup',
  'login',
  'logout',
  'connector_state',
  'form',
  'account_code',
  'ended',
]
const EXPIRED = 'one-time: an expired entry is absent'
const CLAIM = 'one-time: the attempt that claims'
const FORGET = 'one-time: forgetting is for the attempt'
const WINNERS = 'one-time: claiming and consuming have a winner each'

export const oneTimeMutants: Mutants = {
  'consume reads, then writes': {
    by: 'one-time: of many concurrent attempts',
    breaks({ oneTime }) {
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
  },
  'consume forgets which attempt won': {
    by: 'one-time: the first attempt to consume',
    breaks({ oneTime }) {
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
  },
  'consume deletes': {
    by: 'one-time: the first attempt to consume',
    breaks({ oneTime }) {
      const used = new Set<string>()
      return {
        oneTime: {
          peek: async (kind, id) => (used.has(id) ? undefined : oneTime.peek(kind, id)),
          async consume(kind, id, attempt) {
            if (used.has(id)) return undefined
            used.add(id)
            return oneTime.consume(kind, id, attempt)
          },
        },
      }
    },
  },
  'consume says first to everyone': {
    by: 'one-time: the first attempt to consume',
    breaks: ({ oneTime }) => ({
      oneTime: {
        async consume(kind, id, attempt) {
          const answer = await oneTime.consume(kind, id, attempt)
          return answer && { ...answer, first: true }
        },
      },
    }),
  },
  'one-time entries ignore their kind': {
    by: 'one-time: what is put is what is read',
    breaks() {
      const entries = new Map<string, OneTime>()
      return {
        oneTime: {
          put: async entry => void entries.set(entry.id, entry),
          peek: async <K extends OneTimeKind>(_kind: K, id: string) => entries.get(id) as OneTime<K> | undefined,
        },
      }
    },
  },
  'putting again does not replace': {
    by: 'one-time: putting an entry again',
    breaks: ({ oneTime }) => ({
      oneTime: {
        put: async entry => ((await oneTime.peek(entry.kind, entry.id)) ? undefined : oneTime.put(entry)),
      },
    }),
  },
  'putting again keeps who consumed': {
    by: 'one-time: putting an entry again',
    breaks({ oneTime }) {
      const consumed = new Map<string, string>()
      return {
        oneTime: {
          async consume(kind, id, attempt) {
            if (!consumed.has(id)) consumed.set(id, attempt)
            const answer = await oneTime.consume(kind, id, attempt)
            return answer && { ...answer, first: consumed.get(id) === attempt }
          },
        },
      }
    },
  },
  'one-time entries never expire': { by: EXPIRED, breaks: () => withClock('oneTime', () => 0) },
  'one-time entries expire a millisecond late': { by: EXPIRED, breaks: (_, now) => withClock('oneTime', () => now() - 1) },
  'one-time entries expire a millisecond early': { by: EXPIRED, breaks: (_, now) => withClock('oneTime', () => now() + 1) },
  'one-time entries expire by another clock': { by: EXPIRED, breaks: () => withClock('oneTime', Date.now) },
  'one-time entries that have expired can be consumed': {
    by: EXPIRED,
    breaks(_, now) {
      const late = withClock('oneTime', () => now() - 1).oneTime
      return { oneTime: late?.consume && late.put ? { put: late.put, consume: late.consume } : {} }
    },
  },
  'what has expired already is there for a moment': {
    by: 'one-time: an entry that is put when it has expired',
    breaks: ({ oneTime }, now) => ({
      oneTime: { put: entry => oneTime.put({ ...entry, expiresAt: Math.max(entry.expiresAt, now() + 1000) }) },
    }),
  },
  'a new kind is refused': {
    by: 'unknown: a one-time entry of a new kind',
    breaks: ({ oneTime }) => ({
      oneTime: {
        async put(entry) {
          if (!KINDS.includes(entry.kind)) throw new Error('violates check constraint "kind"')
          return oneTime.put(entry)
        },
      },
    }),
  },
  'fields of a one-time entry that are not known are lost': {
    by: 'unknown: a one-time entry of a new kind',
    breaks: ({ oneTime }) => ({ oneTime: { put: entry => oneTime.put(only(entry, ['kind', 'id', 'expiresAt', 'data'])) } }),
  },
  'fields of a claimed entry that are not known are lost': {
    by: 'unknown: a one-time entry of a new kind',
    breaks: ({ oneTime }) => ({
      oneTime: { claim: (entry, attempt) => oneTime.claim(only(entry, ['kind', 'id', 'expiresAt', 'data']), attempt) },
    }),
  },

  'claim reads, then writes': {
    by: 'one-time: of many concurrent claims',
    breaks: ({ oneTime }) => ({
      oneTime: {
        async claim(entry, attempt) {
          const there = await oneTime.peek(entry.kind, entry.id)
          await setImmediate()
          if (there) return oneTime.claim(entry, attempt)
          await oneTime.put(entry)
          return true
        },
      },
    }),
  },
  'of concurrent claims the last is stored': {
    by: 'one-time: of many concurrent claims',
    breaks: ({ oneTime }) => ({
      oneTime: {
        async claim(entry, attempt) {
          const claimed = await oneTime.claim(entry, attempt)
          if (!claimed) await oneTime.put(entry)
          return claimed
        },
      },
    }),
  },
  'a repeated claim is told false': {
    by: CLAIM,
    breaks({ oneTime }) {
      const seen = new Set<string>()
      return {
        oneTime: {
          async claim(entry, attempt) {
            const key = `${entry.kind}${entry.id}`
            if (seen.has(key)) return false
            seen.add(key)
            return oneTime.claim(entry, attempt)
          },
        },
      }
    },
  },
  'a claim sent twice at once is told false once': {
    by: 'one-time: of concurrent claims that are each sent twice',
    breaks({ oneTime }) {
      const busy = new Set<string>()
      return {
        oneTime: {
          async claim(entry, attempt) {
            const key = `${entry.id}${attempt}`
            if (busy.has(key)) return false
            busy.add(key)
            const claimed = await oneTime.claim(entry, attempt)
            await setImmediate()
            busy.delete(key)
            return claimed
          },
        },
      }
    },
  },
  'a repeated claim replaces the entry': {
    by: CLAIM,
    breaks: ({ oneTime }) => ({
      oneTime: {
        async claim(entry, attempt) {
          if (!(await oneTime.claim(entry, attempt))) return false
          await oneTime.forget(entry.kind, entry.id, attempt)
          return oneTime.claim(entry, attempt)
        },
      },
    }),
  },
  'a repeated claim of another entry is told false': {
    by: CLAIM,
    breaks: ({ oneTime }) => ({
      oneTime: {
        async claim(entry, attempt) {
          const claimed = await oneTime.claim(entry, attempt)
          return claimed && JSON.stringify(await oneTime.peek(entry.kind, entry.id)) === JSON.stringify(entry)
        },
      },
    }),
  },
  'a claim is of an id, whatever the kind': {
    by: CLAIM,
    breaks({ oneTime }) {
      const claimers = new Map<string, string>()
      return {
        oneTime: {
          async claim(entry, attempt) {
            const by = claimers.get(entry.id) ?? attempt
            claimers.set(entry.id, by)
            return by === attempt && oneTime.claim(entry, attempt)
          },
        },
      }
    },
  },
  'an entry that was put can be claimed': {
    by: 'one-time: an entry that was put is claimed by nobody',
    breaks({ oneTime }) {
      const put = new Set<string>()
      return {
        oneTime: {
          async put(entry) {
            put.add(entry.id)
            return oneTime.put(entry)
          },
          claim: async (entry, attempt) => put.delete(entry.id) || oneTime.claim(entry, attempt),
        },
      }
    },
  },
  'put keeps the claimer': {
    by: 'one-time: an entry that was put is claimed by nobody',
    breaks({ oneTime }) {
      const claimers = new Map<string, string>()
      return {
        oneTime: {
          async claim(entry, attempt) {
            const claimed = await oneTime.claim(entry, attempt)
            if (claimed) claimers.set(entry.id, attempt)
            return claimed || claimers.get(entry.id) === attempt
          },
        },
      }
    },
  },
  'claiming is consuming': {
    by: WINNERS,
    breaks: ({ oneTime }) => ({
      oneTime: {
        async claim(entry, attempt) {
          if (!(await oneTime.peek(entry.kind, entry.id))) await oneTime.put(entry)
          return (await oneTime.consume(entry.kind, entry.id, attempt))?.first ?? false
        },
      },
    }),
  },
  'consuming takes the claim away': {
    by: WINNERS,
    breaks({ oneTime }) {
      const consumers = new Map<string, string>()
      return {
        oneTime: {
          async consume(kind, id, attempt) {
            consumers.set(id, consumers.get(id) ?? attempt)
            return oneTime.consume(kind, id, attempt)
          },
          claim: async (entry, attempt) => (consumers.get(entry.id) ?? attempt) === attempt && oneTime.claim(entry, attempt),
        },
      }
    },
  },
  'an expired entry cannot be claimed': {
    by: 'one-time: what has expired can be claimed',
    breaks({ oneTime }) {
      const known = new Map<string, string | undefined>()
      return {
        oneTime: {
          async put(entry) {
            known.set(entry.id, undefined)
            return oneTime.put(entry)
          },
          async claim(entry, attempt) {
            if (known.has(entry.id)) return known.get(entry.id) === attempt
            known.set(entry.id, attempt)
            return oneTime.claim(entry, attempt)
          },
        },
      }
    },
  },
  'claiming what has expired keeps who consumed it': {
    by: 'one-time: what has expired can be claimed',
    breaks({ oneTime }) {
      const consumers = new Map<string, string>()
      return {
        oneTime: {
          async consume(kind, id, attempt) {
            const answer = await oneTime.consume(kind, id, attempt)
            if (answer && !consumers.has(id)) consumers.set(id, attempt)
            return answer && { ...answer, first: consumers.get(id) === attempt }
          },
        },
      }
    },
  },
  'an entry can be claimed a millisecond before it expires': {
    by: 'one-time: what has expired can be claimed',
    breaks(_, now) {
      return withClock('oneTime', () => now() + 1)
    },
  },
  'forgetting is for anyone': {
    by: FORGET,
    breaks: ({ oneTime }) => ({
      oneTime: {
        async forget(kind, id) {
          const entry = await oneTime.peek(kind, id)
          if (entry) await oneTime.put({ ...entry, expiresAt: 0 })
        },
      },
    }),
  },
  'forgetting does nothing': { by: FORGET, breaks: () => ({ oneTime: { forget: async () => {} } }) },
  'forgetting is for who consumed': {
    by: FORGET,
    breaks: ({ oneTime }) => ({
      oneTime: {
        async forget(kind, id, attempt) {
          const answer = await oneTime.consume(kind, id, attempt)
          if (answer?.first) await oneTime.put({ ...answer.entry, expiresAt: 0 })
        },
      },
    }),
  },
  'forgetting what is not there rejects': {
    by: FORGET,
    breaks: ({ oneTime }) => ({
      oneTime: {
        async forget(kind, id, attempt) {
          if (!(await oneTime.peek(kind, id))) throw new Error('no row')
          return oneTime.forget(kind, id, attempt)
        },
      },
    }),
  },
  'forgetting reads, then removes': {
    by: 'one-time: a forgetting that comes late',
    breaks({ oneTime }) {
      let calls = 0
      return {
        oneTime: {
          async forget(kind, id, attempt) {
            const entry = await oneTime.peek(kind, id)
            if (!entry || !(await oneTime.claim(entry, attempt))) return
            // One round trip takes longer than another.
            for (let ticks = calls++ % 5; ticks >= 0; ticks--) await setImmediate()
            await oneTime.put({ ...entry, expiresAt: 0 })
          },
        },
      }
    },
  },
}

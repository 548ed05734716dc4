import { setTimeout } from 'node:timers/promises'
import type { App, Consent, Credential, KeyRing } from 'authmount'
import { owners } from './consents.ts'
import { FOLDS, type Mutant, type Mutants, only } from './mutant.ts'

const GONE = 'credentials: gone when deleted'
const COPIES = 'records: changing what was given or received'

export const credentialMutants: Mutants = {
  'credentials are written without their version': {
    by: 'credentials: one per connector and owner',
    breaks() {
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
  },
  'a credential expires with its access token': {
    by: 'credentials: one whose access token',
    breaks: ({ credentials }, now) => ({
      credentials: {
        async get(connectorId, ownerId) {
          const found = await credentials.get(connectorId, ownerId)
          return found && (found.accessExpiresAt ?? Infinity) > now() ? found : undefined
        },
      },
    }),
  },
  'a repeated deletion says true': {
    by: GONE,
    breaks({ credentials }) {
      const deleted = new Set<string>()
      return {
        credentials: {
          async delete(connectorId, ownerId) {
            const again = deleted.has(connectorId + ownerId)
            if (await credentials.delete(connectorId, ownerId)) deleted.add(connectorId + ownerId)
            else return again
            return true
          },
        },
      }
    },
  },
  'a deletion is of every credential of a connector': {
    by: GONE,
    breaks({ credentials }) {
      const made: Credential[] = []
      return {
        credentials: {
          save(credential) {
            made.push(credential)
            return credentials.save(credential)
          },
          async delete(connectorId, ownerId) {
            const deleted = await credentials.delete(connectorId, ownerId)
            if (deleted)
              for (const one of made) if (one.connectorId === connectorId) await credentials.delete(connectorId, one.ownerId)
            return deleted
          },
        },
      }
    },
  },
  'a later version brings a deleted credential back': {
    by: GONE,
    breaks: ({ credentials }) => ({
      credentials: {
        async save(credential) {
          const known = await credentials.get(credential.connectorId, credential.ownerId)
          return known ? credentials.save(credential) : credentials.save({ ...credential, version: 1 })
        },
      },
    }),
  },
  'fields of a credential that are not known are lost': {
    by: 'unknown: every field of a credential and of the key ring',
    breaks: ({ credentials }) => ({
      credentials: {
        save: credential =>
          credentials.save(
            only(credential, ['connectorId', 'ownerId', 'sealed', 'accessExpiresAt', 'leaseUntil', 'needsReconnect', 'version']),
          ),
      },
    }),
  },
  'fields of the key ring that are not known are lost': {
    by: 'unknown: every field of a credential and of the key ring',
    breaks: ({ keys }) => ({ keys: { save: ring => keys.save(only(ring, ['sealed', 'version'])) } }),
  },
  'each instance has a key ring of its own': {
    by: 'keys: one ring',
    breaks: ({ keys }) => ({ keys: { save: async ring => (await keys.save(ring)) || true } }),
  },
}

export const recordMutants: Mutants = {
  'live references are returned': {
    by: COPIES,
    breaks({ apps }) {
      const live = new Map<string, App>()
      return {
        apps: {
          get: async id => live.get(id),
          async save(app) {
            const saved = await apps.save(app)
            if (saved) live.set(app.id, structuredClone(app))
            return saved
          },
        },
      }
    },
  },
  'what was given is kept': {
    by: COPIES,
    breaks({ keys }) {
      let live: KeyRing | undefined
      return {
        keys: {
          get: async () => live && structuredClone(live),
          async save(ring) {
            const saved = await keys.save(ring)
            if (saved) live = ring
            return saved
          },
        },
      }
    },
  },
  'live references are listed': {
    by: COPIES,
    breaks({ consents }) {
      const live = new Map<string, Consent>()
      return {
        consents: {
          async save(consent) {
            const saved = await consents.save(consent)
            if (saved) live.set(consent.appId, structuredClone(consent))
            return saved
          },
          list: async () => ({ items: [...live.values()], next: null }),
        },
      }
    },
  },
  'a database sweeps a record by the expiry it had first': {
    by: 'records: what was prolonged',
    breaks({ apps }) {
      const swept = new Set<string>()
      return {
        apps: {
          save(app) {
            const after = (app.expiresAt ?? Infinity) - Date.now()
            if (after < 10_000) void setTimeout(after, undefined, { ref: false }).then(() => swept.add(app.id))
            return apps.save(app)
          },
          get: async id => (swept.has(id) ? undefined : apps.get(id)),
        },
      }
    },
  },
  'a database sweeps the index of a user by the expiry its grant had first': {
    by: 'records: what was prolonged',
    breaks({ grants }) {
      const swept = new Set<string | null>()
      return {
        grants: {
          create(grant, tokens) {
            const after = Math.max(...tokens.map(({ expiresAt }) => expiresAt)) - Date.now()
            if (after < 10_000) void setTimeout(after, undefined, { ref: false }).then(() => swept.add(grant.userId))
            return grants.create(grant, tokens)
          },
          async listTokens(query) {
            const page = await grants.listTokens(query)
            return 'userId' in query && swept.has(query.userId) ? { ...page, total: 0 } : page
          },
        },
      }
    },
  },
  'ids are joined without encoding': {
    by: 'ids: two side by side',
    breaks() {
      const consents = new Map<string, Consent>()
      const key = (owner: object, appId: string) => `${Object.values(owner).join()}:${appId}`
      return {
        consents: {
          get: async (owner, appId) => consents.get(key(owner, appId)),
          async save(consent) {
            consents.set(key(consent.owner, consent.appId), consent)
            return true
          },
        },
      }
    },
  },
}

/** Every way to fold, wherever there are ids. */
export const idMutants: Mutants = Object.fromEntries(
  Object.entries(FOLDS).flatMap(([how, fold]) => {
    const placed: Readonly<Record<string, Mutant>> = {
      organisations: {
        by: 'ids: an app’s organisation and creator',
        breaks: ({ apps }) => ({
          apps: {
            save: app => apps.save({ ...app, orgId: fold(app.orgId) }),
            list: query => apps.list({ ...query, orgId: fold(query.orgId) }),
          },
        }),
      },
      creators: {
        by: 'ids: an app’s organisation and creator',
        breaks: ({ apps }) => ({
          apps: {
            save: app => apps.save({ ...app, createdBy: fold(app.createdBy) }),
            list: query =>
              apps.list({ ...query, ...(query.createdBy === undefined ? {} : { createdBy: fold(query.createdBy) }) }),
          },
        }),
      },
      'one-time ids': {
        by: 'ids: a one-time entry',
        breaks: ({ oneTime }) => ({
          oneTime: {
            put: entry => oneTime.put({ ...entry, id: fold(entry.id) }),
            peek: (kind, id) => oneTime.peek(kind, fold(id)),
            consume: (kind, id, attempt) => oneTime.consume(kind, fold(id), attempt),
          },
        }),
      },
      'claimed ids': {
        by: 'ids: a one-time entry',
        breaks: ({ oneTime }) => ({
          oneTime: { claim: (entry, attempt) => oneTime.claim({ ...entry, id: fold(entry.id) }, attempt) },
        }),
      },
      'consuming attempts': {
        by: 'ids: an attempt',
        breaks: ({ oneTime }) => ({ oneTime: { consume: (kind, id, attempt) => oneTime.consume(kind, id, fold(attempt)) } }),
      },
      'claiming attempts': {
        by: 'ids: an attempt',
        breaks: ({ oneTime }) => ({ oneTime: { claim: (entry, attempt) => oneTime.claim(entry, fold(attempt)) } }),
      },
      'forgetting attempts': {
        by: 'ids: an attempt',
        breaks({ oneTime }) {
          const claimers = new Map<string, string>()
          return {
            oneTime: {
              async claim(entry, attempt) {
                const claimed = await oneTime.claim(entry, attempt)
                if (claimed) claimers.set(entry.id, attempt)
                return claimed
              },
              async forget(kind, id, attempt) {
                const claimer = claimers.get(id)
                if (claimer !== undefined && fold(claimer) === fold(attempt)) await oneTime.forget(kind, id, claimer)
              },
            },
          }
        },
      },
      'token ids': {
        by: 'ids: a grant, and a token of it',
        breaks: ({ grants }) => ({
          grants: {
            create: (grant, tokens) =>
              grants.create(
                grant,
                tokens.map(token => ({ ...token, id: fold(token.id) })),
              ),
            find: ({ grantId, tokenId }) => grants.find({ grantId, tokenId: fold(tokenId) }),
            revokeToken: ({ grantId, tokenId }) => grants.revokeToken({ grantId, tokenId: fold(tokenId) }),
          },
        }),
      },
      'grant ids': {
        by: 'ids: a grant, and a token of it',
        breaks: ({ grants }) => ({
          grants: {
            create: (grant, tokens) => grants.create({ ...grant, id: fold(grant.id) }, tokens),
            find: ({ grantId, tokenId }) => grants.find({ grantId: fold(grantId), tokenId }),
            revoke: id => grants.revoke(fold(id)),
          },
        }),
      },
      'users of grants': {
        by: 'ids: the user and the organisation of a grant',
        breaks: ({ grants }) => ({
          grants: {
            create: (grant, tokens) =>
              grants.create({ ...grant, userId: grant.userId === null ? null : fold(grant.userId) }, tokens),
            listTokens: query => grants.listTokens('userId' in query ? { ...query, userId: fold(query.userId) } : query),
            revokeMany: query =>
              grants.revokeMany({ ...query, ...(query.userId === undefined ? {} : { userId: fold(query.userId) }) }),
          },
        }),
      },
      'organisations of grants': {
        by: 'ids: the user and the organisation of a grant',
        breaks: ({ grants }) => ({
          grants: {
            create: (grant, tokens) => grants.create({ ...grant, orgId: fold(grant.orgId) }, tokens),
            revokeMany: query =>
              grants.revokeMany({ ...query, ...(query.orgId === undefined ? {} : { orgId: fold(query.orgId) }) }),
          },
        }),
      },
      replays: {
        by: 'ids: the replay of a rotation',
        breaks: ({ grants }) => ({ grants: { rotate: (found, next, replay) => grants.rotate(found, next, fold(replay)) } }),
      },
      'owners of consents': {
        by: 'ids: the owner and the app of a consent',
        breaks: owners(owner => ('userId' in owner ? { userId: fold(owner.userId) } : { orgId: fold(owner.orgId) })),
      },
      'organisations that admit': {
        by: 'ids: the owner and the app of a consent',
        breaks: owners(owner => ('userId' in owner ? owner : { orgId: fold(owner.orgId) })),
      },
      'apps of consents': {
        by: 'ids: the owner and the app of a consent',
        breaks: owners(owner => owner, fold),
      },
      'listed owners of consents': {
        by: 'ids: the owner and the app of a consent',
        breaks: ({ consents }) => {
          const made: Consent[] = []
          return {
            consents: {
              async save(consent) {
                if (await consents.save(consent)) made.push(consent)
                return true
              },
              list: async owner => ({
                items: made.filter(consent =>
                  Object.entries(owner).every(([name, id]) => {
                    const own = (consent.owner as Readonly<Record<string, string>>)[name]
                    return own !== undefined && fold(own) === fold(id as string)
                  }),
                ),
                next: null,
              }),
            },
          }
        },
      },
      connectors: {
        by: 'ids: the connector and the owner of a credential',
        breaks: ({ credentials }) => ({
          credentials: {
            get: (connectorId, ownerId) => credentials.get(fold(connectorId), ownerId),
            save: credential => credentials.save({ ...credential, connectorId: fold(credential.connectorId) }),
          },
        }),
      },
      'owners of credentials': {
        by: 'ids: the connector and the owner of a credential',
        breaks: ({ credentials }) => ({
          credentials: {
            get: (connectorId, ownerId) => credentials.get(connectorId, fold(ownerId)),
            save: credential => credentials.save({ ...credential, ownerId: fold(credential.ownerId) }),
          },
        }),
      },
    }
    // The longest replay is shorter than that.
    return Object.entries(placed).flatMap(([where, mutant]) =>
      where === 'replays' && how.startsWith('cut at 64 Ki') ? [] : [[`${where} are taken ${how}`, mutant]],
    )
  }),
)

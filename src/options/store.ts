import type { Store } from '../store/store.ts'
import type { Kind } from './kinds.ts'
import { quote } from './place.ts'

/** Every method of a store. The compiler notices one that is missing here. */
const METHODS: { readonly [Part in keyof Store]: { readonly [Method in keyof Store[Part]]: true } } = {
  apps: { get: true, save: true, list: true },
  oneTime: { put: true, peek: true, consume: true, claim: true, forget: true },
  grants: {
    create: true,
    find: true,
    rotate: true,
    add: true,
    revokeToken: true,
    revoke: true,
    revokeMany: true,
    listTokens: true,
  },
  consents: { get: true, list: true, save: true },
  credentials: { get: true, save: true, delete: true },
  keys: { get: true, save: true },
}

/** A store with every method of the contract: a client of a database, or a store of an older contract, has not. */
export const store: Kind<Store> = {
  read(value, place) {
    const missing = typeof value === 'object' && value !== null ? missingMethod(value) : quote(value)
    if (missing === undefined) return value as Store
    const given = typeof value === 'object' && value !== null ? `${missing} is missing` : `not ${missing}`
    return place.refuse(`must implement the Store interface: try memoryStore(), or redisStore(client); ${given}`)
  },
}

function missingMethod(value: object): string | undefined {
  for (const [part, methods] of Object.entries(METHODS)) {
    const given: unknown = (value as Readonly<Record<string, unknown>>)[part]
    if (typeof given !== 'object' || given === null) return part
    for (const method of Object.keys(methods))
      if (typeof (given as Readonly<Record<string, unknown>>)[method] !== 'function') return `${part}.${method}`
  }
  return undefined
}

import type { EpochMs } from '../base/time.ts'
import type { KeyRingStore } from '../store/store.ts'
import type { KeySource, Keys } from './keys.ts'

/** Reads the signing keys. Rejects if they cannot be read, or there are none; the routes that call it are then not served. */
export async function currentKeys({
  now,
  services: { keys },
  store,
}: {
  readonly now: EpochMs
  readonly services: { readonly keys: KeySource | null }
  readonly store: { readonly keys: KeyRingStore }
}): Promise<Keys> {
  if (!keys) throw new Error('there are no signing keys')
  return keys.current(store.keys, now)
}

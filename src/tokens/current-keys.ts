import type { EpochMs } from '../base/time.ts'
import type { KeyRingStore } from '../store/store.ts'
import type { KeySource, Keys } from './keys.ts'

/** The signing keys, on a path that is served only where there are some. Rejects when they cannot be read. */
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

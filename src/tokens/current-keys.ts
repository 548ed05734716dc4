import type { EpochMs } from '../base/time.ts'
import type { App, KeyRingStore } from '../store/store.ts'
import type { KeySource, Keys } from './keys.ts'

/** Reads the signing keys, with one for `wanted` as {@link KeySource.current} has it. Rejects if they cannot be read, or there are none; the routes that call it are then not served. */
export async function currentKeys({ now, services: { keys }, store }: ReadsKeys, wanted?: string): Promise<Keys> {
  if (!keys) throw new Error('there are no signing keys')
  return keys.current(store.keys, now, wanted)
}

interface ReadsKeys {
  readonly now: EpochMs
  readonly services: { readonly keys: KeySource | null }
  readonly store: { readonly keys: KeyRingStore }
}

/**
 * Makes sure that the key for an app's ID tokens is published before its first one: clients cache the published set. To be called
 * before the app is stored.
 */
export async function publishKeyFor(
  { idTokenSignedResponseAlg: wanted }: { readonly idTokenSignedResponseAlg?: App['idTokenSignedResponseAlg'] | undefined },
  context: ReadsKeys,
): Promise<void> {
  if (wanted !== undefined && context.services.keys) await currentKeys(context, wanted)
}

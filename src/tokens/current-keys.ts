import type { Context } from '../options/context.ts'
import type { Keys } from './keys.ts'

/** The signing keys, on a path that is only served where there are some. */
export async function currentKeys({ config, now, store }: Context): Promise<Keys> {
  if (!config.keys) throw new Error('there are no signing keys')
  return config.keys.current(store.keys, now)
}

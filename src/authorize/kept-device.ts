import { callHook } from '../base/hooks.ts'
import type { HttpRequest } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import type { DeviceDescription, KeptDevice } from '../options/device-description.ts'

const MOST_CHARS = 200

/**
 * Asks the host what to keep of the device behind a request of a user's browser; null: nothing. Rejects if the function rejects,
 * is late, or returns a value that is no device.
 */
export async function keptDevice(request: HttpRequest, { config }: Context): Promise<KeptDevice | null> {
  const ask = config.describeDevice
  if (!ask) return null
  // `native` is what the adapter gave: the host's function and its adapter are of one framework.
  return callHook('describeDevice', () => ask(request as HttpRequest<never>), readDevice, config)
}

function readDevice(answer: DeviceDescription | null | undefined): KeptDevice | null {
  if (answer === null || answer === undefined) return null
  if (typeof answer !== 'object')
    throw new TypeError(`describeDevice must return { name, ip, place } or null, not ${typeof answer}`)
  const kept = (['name', 'ip', 'place'] as const).flatMap(member => {
    const value: unknown = answer[member]
    if (value === undefined || value === '') return []
    if (typeof value !== 'string') throw new TypeError(`describeDevice must return texts: ${member} is ${typeof value}`)
    // A part of a header may be cut in the middle of a character, which stores do not take.
    return [[member, value.slice(0, MOST_CHARS).replace(/\p{Cs}/gu, '')]]
  })
  return kept.length > 0 ? Object.fromEntries(kept) : null
}

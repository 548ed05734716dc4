import { withTimeout } from './timeout.ts'

/**
 * Calls a function of the host's: waits for at most `hookTimeoutMs`, and hands what it returns to `read`, which takes what is
 * needed and throws TypeError for anything else.
 *
 * Whatever goes wrong, it rejects with an Error of ours that has the failure as its cause. So no error that the host's function
 * throws, whatever its class, is answered in its own words: the caller gets the fixed ones of an unexpected condition.
 */
export async function callHook<T>(
  name: string,
  call: () => unknown,
  read: (answer: unknown) => T,
  { hookTimeoutMs }: { readonly hookTimeoutMs: number },
): Promise<T> {
  try {
    return read(await withTimeout(async () => call(), hookTimeoutMs, name))
  } catch (cause) {
    throw new Error(`the option ${name} failed`, { cause })
  }
}

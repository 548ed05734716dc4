import { withTimeout } from './timeout.ts'

/**
 * Calls a function of the host's: waits for at most `hookTimeoutMs`, and hands what it returns to `read`, which takes what is
 * needed and throws TypeError for anything else.
 *
 * Whatever goes wrong, it rejects with an Error of ours that has the failure as its cause. So no error that the host's function
 * throws, whatever its class, is answered in its own words: the caller gets the fixed ones of an unexpected condition.
 */
export async function callHook<Answer, T>(
  name: string,
  call: () => Answer | Promise<Answer>,
  read: (answer: Answer) => T,
  { hookTimeoutMs }: { readonly hookTimeoutMs: number },
): Promise<T> {
  try {
    return read(await withTimeout(async () => call(), hookTimeoutMs, name))
  } catch (cause) {
    throw new Error(`${name} failed: ${cause instanceof Error ? cause.message : typeof cause}`, { cause })
  }
}

/** Takes an answer as it is, for a caller that reads it later. */
export function asIs<T>(answer: T): T {
  return answer
}

/** Takes nothing but `true` for yes. */
export function isTrue(answer: unknown): boolean {
  return answer === true
}

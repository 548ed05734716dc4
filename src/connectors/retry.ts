import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectorError } from '../errors/connector-error.ts'
import type { Provider } from './provider.ts'
import type { ProviderTokens } from './provider-tokens.ts'
import type { RefreshRequest, Upstreams } from './upstream.ts'

/** The time limit for all tries of a request to a provider together, in milliseconds. */
export const TRY_MS = 10_000
const MAX_TRIES = 4

/** Refreshes a token, and retries while the provider is busy. Rejects with the last ConnectorError. */
export async function refreshWithRetries(
  upstreams: Upstreams,
  provider: Provider,
  request: RefreshRequest,
): Promise<ProviderTokens> {
  const signal = AbortSignal.timeout(TRY_MS)
  const givenUp = performance.now() + TRY_MS
  for (let tries = 1; ; tries++) {
    try {
      return await upstreams.refresh(provider, request, signal)
    } catch (error) {
      if (!(error instanceof ConnectorError) || error.code !== 'provider_unavailable' || tries === MAX_TRIES) throw error
      const pauseMs =
        error.retryAfterSeconds === undefined ? 200 * 2 ** tries * (0.5 + Math.random()) : error.retryAfterSeconds * 1000
      if (performance.now() + pauseMs >= givenUp) throw error
      await sleep(pauseMs)
    }
  }
}

/** Tries `run` up to `tries` times, 200, 400 and 800 ms apart, for a store that fails for a moment. Rejects with the last error. */
export async function withRetries<T>(run: () => Promise<T>, tries = MAX_TRIES): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await run()
    } catch (error) {
      if (tried === tries) throw error
      await sleep(100 * 2 ** tried)
    }
  }
}

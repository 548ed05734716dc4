import type { SignedInContext } from '../options/context.ts'

/**
 * Counts a record that waits for a user's answer, before it is stored; `kind` keeps an app that opens screen after screen from
 * keeping its user out of others. Rejects with RateLimitError.
 */
export async function countScreen(kind: readonly string[], { principal, services, store }: SignedInContext): Promise<void> {
  await services.limits.count('screens', [principal.orgId, principal.userId, ...kind], store)
}

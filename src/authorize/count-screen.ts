import type { SignedInContext } from '../options/context.ts'

/** Counts a record that waits for a user's answer, before it is stored. Rejects with RateLimitError. */
export async function countScreen({ principal, services, store }: SignedInContext): Promise<void> {
  await services.limits.count('screens', [principal.orgId, principal.userId], store)
}

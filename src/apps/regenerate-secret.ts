import { z } from 'zod'
import { wireId } from '../base/ids.ts'
import { makeSecret } from '../clients/authenticate/client-secret.ts'
import { hasSecret } from '../clients/client-facts.ts'
import { ApiError } from '../errors/api-error.ts'
import { checkJson } from '../http/check-input.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import { viewApp } from './app-view.ts'
import { actor } from './apps.ts'
import { changeApp } from './change-app.ts'

/** A week: long enough to roll a secret out, short enough to limit the use of a leaked one. */
const MAX_OVERLAP_SECONDS = 604_800

export const regenerateInput = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(MAX_OVERLAP_SECONDS)
    .default(0)
    .describe('How long the old secret goes on working beside the new one, in seconds.'),
})

/** POST /oauth-clients/{appId}/regenerate-secret: the old secret stops working with the answer, or after `overlapSeconds`. */
export async function regenerateSecret(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const { now } = context
  const { overlapSeconds } = request.body.kind === 'none' ? { overlapSeconds: 0 } : checkJson(regenerateInput, request)
  const secret = makeSecret(now)
  const app = await changeApp(
    request,
    context,
    current => {
      if (!hasSecret(current)) throw new ApiError('VALIDATION_ERROR', 'this app has no secret')
      const until = now + overlapSeconds * 1000
      // At most two secrets, because each request is compared with all of them.
      const kept = current.secrets
        .slice(0, 1)
        .map(old => ({ ...old, usableUntil: old.usableUntil === null ? until : Math.min(old.usableUntil, until) }))
        .filter(old => old.usableUntil > now)
      return { secrets: [secret.stored, ...kept] }
    },
    changed =>
      context.events.emit({ type: 'app_secret_regenerated', ...actor(context), clientId: wireId(changed), overlapSeconds }),
  )
  return json(200, { ...viewApp(app), clientSecret: secret.value })
}

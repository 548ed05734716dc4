import { z } from 'zod'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'

export const scopeViewSchema = z.object({ name: z.string(), description: z.string(), category: z.string() })

/** GET /oauth-clients/scopes: the scopes that apps can have, with the host's descriptions. */
export async function listScopes(_request: HttpRequest, { config }: SignedInContext): Promise<HttpResponse> {
  return json(
    200,
    [...config.scopes.values()].map(({ name, description, category }) => ({ name, description, category })),
  )
}

import { callHook } from '../base/hooks.ts'
import type { JsonObject } from '../base/json.ts'
import { appForHost } from '../clients/app-for-host.ts'
import type { Context } from '../options/context.ts'
import { readTokenClaims } from '../tokens/token-claims.ts'
import type { Asked } from './policy.ts'
import { sessionFacts } from './session-facts.ts'

/**
 * Asks the option `accessTokenClaims`; undefined without that option. Resolves to null where the host says that there is to be no
 * token. Rejects with Error if the function fails, is late or returns what cannot be claims of a token.
 */
export async function askTokenClaims(
  { app, audience, grantType, of, scopes }: Asked & { readonly grantType: string },
  { config }: Pick<Context, 'config'>,
): Promise<JsonObject | null | undefined> {
  const { accessTokenClaims } = config
  if (!accessTokenClaims) return undefined
  const request = {
    app: appForHost(app),
    userId: of.userId,
    orgId: of.orgId,
    scopes: [...scopes],
    audience: [...(audience ?? config.resources)],
    grantType,
    session: sessionFacts(of.context),
  }
  const read = (answer: unknown) => (answer === null ? null : readTokenClaims(answer))
  return callHook('accessTokenClaims', () => accessTokenClaims(request), read, config)
}

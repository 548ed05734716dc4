import type { Config } from '../config.ts'
import { OAuthError } from '../errors/oauth-error.ts'

/**
 * Every one of the `resources` a request names must be one that tokens of this server are good for: on the server's own
 * origin, or among the host's `resources` (RFC 8707 §2). Throws `invalid_target` for any other, rather than hand out a token that means something else.
 */
export function checkResources(
  resources: readonly string[],
  { origin, resources: known }: Pick<Config<never>, 'origin' | 'resources'>,
): void {
  for (const resource of resources) {
    const ours = URL.canParse(resource) && !resource.includes('#') && new URL(resource).origin === origin
    if (!ours && !known.includes(resource))
      throw new OAuthError('invalid_target', 'resource must be an absolute URI that this server knows, without a fragment')
  }
}

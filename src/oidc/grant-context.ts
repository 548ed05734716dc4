import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'

/** What a grant carries of the authorization request it came from; all but the audience only with `openid`. */
export interface GrantContext extends JsonObject {
  /** The resources that were asked for (RFC 8707 §2.1). */
  readonly audience?: readonly string[] | null
  readonly nonce?: string | null
  /** When the user had proved who they are; null: the host does not say. */
  readonly authTime?: EpochMs | null
  /** The host's session, by a name of its own. */
  readonly sid?: string | null
  /** The claims that were asked for by name, and where. */
  readonly idTokenClaims?: readonly string[]
  readonly userinfoClaims?: readonly string[]
}

/** Reads it; every other grant has none of it. */
export function grantContext(context: JsonObject): Required<GrantContext> {
  const { audience = null, nonce = null, authTime = null, sid = null } = context as Partial<GrantContext>
  const { idTokenClaims = [], userinfoClaims = [] } = context as Partial<GrantContext>
  return { audience, nonce, authTime, sid, idTokenClaims, userinfoClaims }
}

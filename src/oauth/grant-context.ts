import type { EpochMs, JsonObject } from '../store.ts'

/** What a grant with `openid` carries of the authorization request it came from. */
export interface GrantContext extends JsonObject {
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
  const { nonce = null, authTime = null, sid = null, idTokenClaims = [], userinfoClaims = [] } = context as Partial<GrantContext>
  return { nonce, authTime, sid, idTokenClaims, userinfoClaims }
}

import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import type { KeptDevice } from '../options/device-description.ts'

/** The parts of the authorization request that a grant keeps; nonce and claims only with the scope `openid`. */
export interface GrantContext extends JsonObject {
  /** The resources that were asked for (RFC 8707 §2.1). */
  readonly audience?: readonly string[] | null
  /** The epoch of the admission by which the user's organisation let a client in that nobody registered. */
  readonly admission?: number
  /** What the host keeps of the device from which the user let the app in. */
  readonly device?: KeptDevice
  /** The thumbprint of the key to which the code was bound (RFC 9449 §10). */
  readonly jkt?: string | null
  readonly nonce?: string | null
  /** When the user signed in; null if the host does not report it. Also without `openid`, as `acr` and `amr`. */
  readonly authTime?: EpochMs | null
  /** The authentication context in which the user signed in. */
  readonly acr?: string | null
  /** The authentication methods by which the user signed in. */
  readonly amr?: readonly string[] | null
  /** A digest that names the host's session; null or absent if the host does not name sessions. */
  readonly sid?: string | null
  /** The claims that were asked for by name, and where. */
  readonly idTokenClaims?: readonly string[]
  readonly userinfoClaims?: readonly string[]
}

/** Reads a grant's context. Grants that do not come from an authorization request have the defaults. */
export function grantContext(context: JsonObject): Required<GrantContext> {
  const { acr = null, amr = null, audience = null, nonce = null, authTime = null, sid = null } = context as Partial<GrantContext>
  const { admission = 0, device = {}, idTokenClaims = [], jkt = null, userinfoClaims = [] } = context as Partial<GrantContext>
  return { acr, amr, audience, admission, device, jkt, nonce, authTime, sid, idTokenClaims, userinfoClaims }
}

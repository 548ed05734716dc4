import type { EpochMs } from '../base/time.ts'

/** Who is calling, as the host's own session or token says. */
export interface Principal {
  /** A string, stable and never reassigned: it becomes `sub`. At most 255 characters. */
  readonly userId: string
  /** The organisation the user acts in, as a string. A host without organisations returns one constant for everyone. */
  readonly orgId: string
  /** May manage the organisation's OAuth apps. */
  readonly isAdmin: boolean
  /** How to name the user on the consent page. Default: the page does not name anyone. */
  readonly displayName?: string | undefined
  /** The name of the account, such as an email address: the consent page shows it beside `displayName`. Default: not shown. */
  readonly accountName?: string | undefined
  /** The name of the organisation, for the consent page. Default: not shown. */
  readonly orgName?: string | undefined
  /** The host's login session. When given, a consent screen can only be answered from the session that opened it. */
  readonly sessionId?: string | undefined
  /** When the user proved who they are, in milliseconds since 1970. Without it no client can ask for `max_age`. */
  readonly authTime?: EpochMs | undefined
  /**
   * The authentication context in which the user signed in, as clients and APIs call it (RFC 6711): 1 to 255 printable characters
   * without spaces. Tokens say it. Default: none is said.
   */
  readonly acr?: string | undefined
  /** How the user proved who they are, such as `['pwd', 'otp']` (RFC 8176); at most 20. Tokens say it. Default: nothing is said. */
  readonly amr?: readonly string[] | undefined
}

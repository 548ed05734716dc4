import { number } from './kinds.ts'
import { optional, type Table } from './rows.ts'

/** How long things live whose lifetime is not an app's own. */
export interface Lifetimes {
  /** How long an authorization code may wait to be redeemed. 1–600 seconds; default 60. */
  readonly codeSeconds?: number | undefined
  /** How long a consent screen may stay unanswered. 30–3,600 seconds; default 600. */
  readonly consentSeconds?: number | undefined
  /**
   * How long a user's consent counts: after that they are asked again when the app next sends them here. What the app holds by
   * then goes on; to end that, see how long refresh tokens live. 1–3,650 days; default: until it is withdrawn.
   */
  readonly consentDays?: number | undefined
  /**
   * How long a browser may take to come with a pushed request, and back from the login (RFC 9126 §2.2). A consent screen that is
   * open by then stays open. 5–599 seconds; default 540.
   */
  readonly pushedRequestSeconds?: number | undefined
  /**
   * When a grant ends, counted from the user's consent: none of its tokens lives longer, however often the app refreshes, and the user
   * is then asked again. An app can have a shorter one. 1–3,650 days; default: never, as long as the app goes on refreshing.
   */
  readonly grantDays?: number | undefined
  /** How long an ID token is good for. 60–86,400 seconds; default 3600. */
  readonly idTokenSeconds?: number | undefined
}

export const LIFETIMES = {
  // Long enough for a slow redirect, short enough that a code in a log is dead (RFC 6749 §4.1.2 allows ten minutes).
  codeSeconds: optional(number([1, 600], 'seconds'), 60),
  consentSeconds: optional(number([30, 3600], 'seconds'), 600),
  consentDays: optional(number([1, 3650], 'days'), null),
  // Long enough to find a password or a phone; FAPI 2.0 wants less than ten minutes.
  pushedRequestSeconds: optional(number([5, 599], 'seconds'), 540),
  grantDays: optional(number([1, 3650], 'days'), null),
  idTokenSeconds: optional(number([60, 86_400], 'seconds'), 3600),
} satisfies Table<Lifetimes>

import { number } from './kinds.ts'
import { optional, type Table, type ValuesOf } from './rows.ts'
import { pageUrl } from './urls.ts'

/** Terminals and devices that have no browser of their own (RFC 8628). */
export interface DevicesOptions {
  /**
   * A page of yours where a signed-in user types the code and answers; it gets `user_code` if the address has the code in it.
   * Default: the built-in page.
   * @see docs/devices.md#on-a-page-of-your-own
   */
  readonly pageUrl?: string | undefined
  /** How long a code waits for its user. 60–1,800 seconds; default 600. */
  readonly codeSeconds?: number | undefined
  /** How long a device waits between two questions. 1–60 seconds; default 5. */
  readonly intervalSeconds?: number | undefined
}

export const DEVICES = {
  pageUrl: optional(pageUrl, null),
  codeSeconds: optional(number([60, 1800], 'seconds'), 600),
  intervalSeconds: optional(number([1, 60], 'seconds'), 5),
} satisfies Table<DevicesOptions>

/** The options of devices, checked. */
export type DevicesConfig = ValuesOf<typeof DEVICES>

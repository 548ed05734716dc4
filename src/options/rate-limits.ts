import { type Allowance, type Allowances, LIMITS } from '../http/limits.ts'
import { isPlainObject, type Kind, number } from './kinds.ts'
import { quote } from './place.ts'
import { type OptionalRow, optional, type Table } from './rows.ts'

/** How often something may be done: `points` times within `seconds`. */
export interface RateLimitSetting {
  /** 1–1,000,000. */
  readonly points: number
  /** 1–86,400 seconds. */
  readonly seconds: number
}

/** How often callers may do what costs a record, a call to a provider, or a guess. `false` switches a limit off. */
export interface RateLimits {
  /** Changes to apps, by organisation and admin. Default 10 in 60 seconds. */
  readonly appChanges?: RateLimitSetting | false | undefined
  /** Consent screens (by app), requests for a client that wait for an admin, logouts and connector flows, by user; without `sealingKeys` pages of connected apps as well. Default 100 in 600 seconds. */
  readonly screens?: RateLimitSetting | false | undefined
  /** Authorization codes, by user and app. Default 120 in 60 seconds. */
  readonly codes?: RateLimitSetting | false | undefined
  /** Logins that leave a record, because there are no `sealingKeys`, by address. Default 100 in 600 seconds. */
  readonly logins?: RateLimitSetting | false | undefined
  /** Authorization requests that an app pushes which authenticates, by app. Default 600 in 60 seconds. */
  readonly pushedRequests?: RateLimitSetting | false | undefined
  /** Authorization requests that a public app pushes, or a browser posts that are too long for a URL, by app and address. Default 300 in 600 seconds. */
  readonly publicPushedRequests?: RateLimitSetting | false | undefined
  /** Clients that failed to authenticate, by client and address. Default 60 in 60 seconds. */
  readonly clientFailures?: RateLimitSetting | false | undefined
  /** Codes of a sign-in provider that were refused, by provider and address. Default 30 in 60 seconds. */
  readonly exchangeFailures?: RateLimitSetting | false | undefined
  /** Devices that ask for a code, by address. Default 100 in 600 seconds. */
  readonly deviceCodes?: RateLimitSetting | false | undefined
  /** Codes of devices that are looked up, right or wrong, by user. Default 30 in 600 seconds. */
  readonly userCodes?: RateLimitSetting | false | undefined
  /** Documents of clients that are read, by user. Default 60 in 600 seconds. */
  readonly documents?: RateLimitSetting | false | undefined
  /** Documents of clients that are read, by the host that has them. Default 300 in 600 seconds. */
  readonly documentsOfHost?: RateLimitSetting | false | undefined
  /** Clients that register themselves, by address. Default 100 in 3,600 seconds. */
  readonly registrations?: RateLimitSetting | false | undefined
  /** Clients that register themselves, all together. Default 1,000 in 3,600 seconds. */
  readonly allRegistrations?: RateLimitSetting | false | undefined
}

const POINTS = number([1, 1_000_000], 'times')
const SECONDS = number([1, 86_400], 'seconds')

const setting: Kind<RateLimitSetting | false, Allowance | null> = {
  read(value, place) {
    if (value === false) return null
    if (!isPlainObject(value)) return place.refuse(`must be { points, seconds } or false, not ${quote(value)}`)
    const points = POINTS.read(value.points, place.member('points'))
    const seconds = SECONDS.read(value.seconds, place.member('seconds'))
    const strange = Object.keys(value).find(name => name !== 'points' && name !== 'seconds')
    if (strange !== undefined) return place.member(strange).refuse('is not an option')
    return points === undefined || seconds === undefined ? undefined : { points, seconds }
  },
}

function row(name: keyof Allowances): OptionalRow<RateLimitSetting | false, Allowance | null> {
  const { points, seconds } = LIMITS[name]
  return optional(setting, { points, seconds })
}

export const RATE_LIMITS = {
  appChanges: row('appChanges'),
  screens: row('screens'),
  codes: row('codes'),
  logins: row('logins'),
  pushedRequests: row('pushedRequests'),
  publicPushedRequests: row('publicPushedRequests'),
  clientFailures: row('clientFailures'),
  exchangeFailures: row('exchangeFailures'),
  deviceCodes: row('deviceCodes'),
  userCodes: row('userCodes'),
  documents: row('documents'),
  documentsOfHost: row('documentsOfHost'),
  registrations: row('registrations'),
  allRegistrations: row('allRegistrations'),
} satisfies Table<RateLimits>

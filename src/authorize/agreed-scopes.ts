import type { EpochMs } from '../base/time.ts'
import { OFFLINE_ACCESS } from '../clients/allowed-scopes.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { optional, type Params } from '../http/params.ts'
import type { Config } from '../options/config.ts'
import type { Consent } from '../store/store.ts'

/*
 * What a user has agreed to of what an app asks for. A scope that the catalogue calls optional may be declined, and the app then
 * gets the rest. The record of a consent keeps when, so that an app that goes on asking for it is not a question at each sign-in.
 */

const DAY_MS = 86_400_000

/** 90 days: by then people have forgotten what they declined, and may need it. An app that cannot wait sends `prompt=consent`. */
const DECLINED_MS = 7_776_000_000

type Rules = Pick<Config<never>, 'consentDays' | 'scopes'>

/** Tells whether users may decline a scope and allow the rest. */
export function isOptional(name: string, { scopes }: Pick<Config<never>, 'scopes'>): boolean {
  return scopes.get(name)?.optional === true
}

/** Tells whether a consent covers a scope at this moment. It may have expired, each scope by itself. */
export function isAllowed(name: string, consent: Consent, { consentDays }: Rules, now: EpochMs): boolean {
  if (!consent.scopes.includes(name)) return false
  return consentDays === null || now < (consent.allowedAt?.[name] ?? consent.grantedAt) + consentDays * DAY_MS
}

/**
 * Returns the scopes to issue without asking: all that are asked for, or all but optional ones that the user has declined. Null
 * if the user must be asked. `silent`: no page may be shown (`prompt=none`), so that a scope is not asked for anew either.
 */
export function agreedScopes(
  asked: readonly string[],
  consent: Consent,
  { config, now, silent }: { readonly config: Rules; readonly now: EpochMs; readonly silent: boolean },
): readonly string[] | null {
  if (asked.every(name => isAllowed(name, consent, config, now))) return asked
  const scopes: string[] = []
  for (const name of asked) {
    if (isAllowed(name, consent, config, now)) scopes.push(name)
    else if (!isOptional(name, config) || !isDeclined(name, consent, now, silent)) return null
  }
  return isSomething(scopes) ? scopes : null
}

/** A decline counts for so long, and for longer where the user cannot be asked. An expired consent is no decline. */
function isDeclined(name: string, { declined }: Consent, now: EpochMs, silent: boolean): boolean {
  const at = declined?.[name]
  return at !== undefined && (silent || now < at + DECLINED_MS)
}

/** Tells whether an app can do anything with these scopes (RFC 6749 §3.3: a scope names at least one thing). */
export function isSomething(scopes: readonly string[]): boolean {
  return scopes.some(name => name !== OFFLINE_ACCESS)
}

/**
 * Reads which of the scopes that were asked for the user allows: all that are not optional, and the optional ones that
 * `optional_scope` names, in the order of the request. Throws `invalid_request` if it names another.
 */
export function chosenScopes(params: Params, asked: readonly string[], config: Pick<Config<never>, 'scopes'>): readonly string[] {
  const given = optional(params, 'optional_scope')
  if (given === undefined)
    return asked.some(name => isOptional(name, config)) ? asked.filter(name => !isOptional(name, config)) : asked
  const chosen = given.split(' ').filter(name => name !== '')
  const stray = chosen.find(name => !asked.includes(name) || !isOptional(name, config))
  if (stray !== undefined)
    throw new OAuthError(
      'invalid_request',
      `optional_scope names ${printableScope(stray)}, which this request does not offer as optional`,
    )
  return asked.filter(name => !isOptional(name, config) || chosen.includes(name))
}

/** Returns a scope's name if it can be quoted in an error (RFC 6749 §5.2), else a stand-in. */
function printableScope(name: string): string {
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(name) ? name : 'a scope'
}

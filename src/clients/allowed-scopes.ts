import { OAuthError } from '../errors/oauth-error.ts'
import type { Config } from '../options/config.ts'
import type { App } from '../store/store.ts'
import { isSelfRegistered } from './find-client.ts'

type Rules = Pick<Config<never>, 'clients' | 'scopes'>
type Scopes = Pick<Config<never>, 'clients' | 'defaultScopes' | 'scopes'>

/** The scope with which a client asks for a refresh token (OpenID Connect Core §11). It is in no catalogue: an app may ask for it if it has the refresh grant. */
export const OFFLINE_ACCESS = 'offline_access'

/**
 * Returns the scopes of a user's new grant: those that the request asks for and the app may have (RFC 6749 §3.3); the others are
 * left out. A request that names none gets the default ones. Throws `invalid_scope` if none is left.
 */
export function scopesForUser(asked: string | undefined, app: App, config: Scopes): readonly string[] {
  const allowed = scopesOfApp(app, config)
  const scopes = scopesToGrant(asked, allowed, config)
  const stays = asked?.split(' ').includes(OFFLINE_ACCESS) && app.grantTypes.includes('refresh_token')
  return stays ? [...scopes, OFFLINE_ACCESS] : scopes
}

/** Returns the scopes of a new grant of an app that acts for itself, without those that need a user. */
export function scopesForItself(asked: string | undefined, app: App, config: Scopes): readonly string[] {
  return scopesToGrant(asked, scopesWithoutUser(app, config), config)
}

function scopesToGrant(asked: string | undefined, allowed: readonly string[], { defaultScopes }: Scopes): readonly string[] {
  if (asked === undefined) {
    const scopes = defaultScopes === null ? allowed : narrow(allowed, defaultScopes)
    if (scopes.length === 0) throw new OAuthError('invalid_scope', 'scope is required: this app has no default scope')
    return scopes
  }
  // The usual request asks for all that it may have. Of an app that has no scope, an empty text is not one.
  if (allowed.length > 0 && asked === scopeText(allowed)) return allowed
  const names = asked.split(' ').filter(name => name !== '')
  const scopes = known(names, allowed)
  if (scopes.length > 0) return scopes
  throw new OAuthError('invalid_scope', `this app may have none of the scopes it asks for: ${inWords(names)}${hint(names)}`)
}

/** What client libraries send when they are not told which scopes, or not how this server wants them. */
function hint(names: readonly string[]): string {
  if (names.includes('undefined')) return ' (the client has no scope option set, and sends the word)'
  return names.some(name => name.includes(',')) ? ' (names are separated by spaces, not by commas)' : ''
}

/**
 * Returns the scopes a refresh asks for: all that were granted, or some of them (RFC 6749 §6). Throws `invalid_scope` for one
 * that was not granted.
 */
export function scopesOfRefresh(asked: string | undefined, granted: readonly string[]): readonly string[] {
  if (asked === undefined) return granted
  const names = asked.split(' ').filter(name => name !== '')
  const stray = names.filter(name => !granted.includes(name))
  if (stray.length > 0) throw new OAuthError('invalid_scope', `the grant does not have these scopes: ${inWords(stray)}`)
  if (names.length === 0) throw new OAuthError('invalid_scope', 'scope names no scope')
  return known(names, granted)
}

/** Returns those of `allowed` that are named, each once. It returns the strings of `allowed`: a slice of a request would keep the whole request in memory. */
function known(names: readonly string[], allowed: readonly string[]): readonly string[] {
  const scopes: string[] = []
  for (const name of names) {
    const own = allowed.find(candidate => candidate === name)
    if (own !== undefined && !scopes.includes(own)) scopes.push(own)
  }
  // Share one array among all tokens that have every allowed scope.
  return scopes.every((name, index) => name === allowed[index]) && scopes.length === allowed.length ? allowed : scopes
}

/** Quotes at most three names of scopes for an error, if they have only the characters that RFC 6749 §5.2 allows. */
function inWords(names: readonly string[]): string {
  const printable = names.filter(name => /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(name)).slice(0, 3)
  const others = names.length - printable.length
  return [...printable, ...(others > 0 ? [`${others} more`] : [])].join(', ')
}

/**
 * Returns the scopes an app may ask for: its own, as far as the catalogue still has them. An app that nobody registered may ask
 * for those that are open to such apps.
 */
export function scopesOfApp(app: App, { clients, scopes: catalogue }: Rules): readonly string[] {
  if (isSelfRegistered(app)) return clients?.scopes ?? [...catalogue.keys()]
  return app.scopes.every(name => catalogue.has(name)) ? app.scopes : app.scopes.filter(name => catalogue.has(name))
}

/** Returns the scopes an app may ask for when it acts for itself: those that do not need a user (`userOnly`). */
export function scopesWithoutUser(app: App, { scopes: catalogue }: Pick<Rules, 'scopes'>): readonly string[] {
  const allowed = (name: string) => catalogue.get(name)?.userOnly === false
  for (const name of app.scopes) if (!allowed(name)) return app.scopes.filter(allowed)
  return app.scopes
}

/** Returns those of `scopes` that are in `allowed`. */
export function narrow(scopes: readonly string[], allowed: readonly string[]): readonly string[] {
  return scopes.every(name => allowed.includes(name)) ? scopes : scopes.filter(name => allowed.includes(name))
}

/**
 * Returns those of the granted scopes that the app and the catalogue still have. Throws `invalid_scope` if none is left.
 */
export function stillAllowed(granted: readonly string[], app: App, rules: Rules): readonly string[] {
  const allowed = scopesOfApp(app, rules)
  const scopes = granted.every(name => name === OFFLINE_ACCESS || allowed.includes(name))
    ? granted
    : granted.filter(name => name === OFFLINE_ACCESS || allowed.includes(name))
  if (scopes.every(name => name === OFFLINE_ACCESS))
    throw new OAuthError('invalid_scope', 'this app may no longer have any of the scopes that were granted')
  return scopes
}

/**
 * Joins the names of scopes with spaces (RFC 6749 §3.3). Every token request does it twice; `join` takes 40 ns more, as it looks for
 * cycles.
 */
export function scopeText(scopes: readonly string[]): string {
  let text = ''
  for (const name of scopes) text = text === '' ? name : `${text} ${name}`
  return text
}

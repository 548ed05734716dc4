import { OAuthError } from '../errors/oauth-error.ts'
import type { Config } from '../options/config.ts'
import type { App } from '../store/store.ts'

type Catalogue = Config<never>['scopes']

/**
 * The scopes a request asks for, each once, checked against what the app may have (RFC 6749 §3.3).
 * Throws `invalid_scope`; never grants less than what was asked without saying so.
 */
export function requestedScopes(scope: string, allowed: readonly string[]): readonly string[] {
  const known: string[] = []
  for (const name of scope.split(' ')) {
    // The catalogue's own string: one cut from the request would keep all of the request alive.
    const own = allowed.find(candidate => candidate === name)
    // A refresh token comes with the grant, not with this scope: asking for it is allowed and changes nothing.
    if (own === undefined && name === 'offline_access') continue
    if (own === undefined) throw new OAuthError('invalid_scope', 'scope asks for something this app may not have')
    if (!known.includes(own)) known.push(own)
  }
  if (known.length === 0) throw new OAuthError('invalid_scope', 'scope is empty')
  // One list for as many tokens as ask for all of it.
  return known.every((name, index) => name === allowed[index]) && known.length === allowed.length ? allowed : known
}

/** What an app may ask for today: its own scopes, as far as the catalogue still has them. */
export function scopesOfApp(app: App, catalogue: Catalogue): readonly string[] {
  return app.scopes.every(name => catalogue.has(name)) ? app.scopes : app.scopes.filter(name => catalogue.has(name))
}

/** What an app may ask for when it acts for itself: nothing that speaks of a user. */
export function scopesWithoutUser(app: App, catalogue: Catalogue): readonly string[] {
  const allowed = (name: string) => catalogue.get(name)?.userOnly === false
  return app.scopes.every(allowed) ? app.scopes : app.scopes.filter(allowed)
}

/** Those of `scopes` that `allowed` still has. */
export function narrow(scopes: readonly string[], allowed: readonly string[]): readonly string[] {
  return scopes.every(name => allowed.includes(name)) ? scopes : scopes.filter(name => allowed.includes(name))
}

/**
 * What is left of the scopes a user agreed to: an app or a catalogue that has lost one since does not get it back.
 * Throws `invalid_scope` where nothing is left.
 */
export function stillAllowed(granted: readonly string[], app: App, catalogue: Catalogue): readonly string[] {
  const scopes = narrow(granted, scopesOfApp(app, catalogue))
  if (scopes.length === 0)
    throw new OAuthError('invalid_scope', 'this app may no longer have any of the scopes that were granted')
  return scopes
}

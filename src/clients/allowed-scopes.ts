import { OAuthError } from '../errors/oauth-error.ts'
import type { Config } from '../options/config.ts'
import type { App } from '../store/store.ts'

type Catalogue = Config<never>['scopes']

/**
 * Reads the scopes a request asks for, each once, and checks them against those the app may have (RFC 6749 §3.3).
 * Throws `invalid_scope` for any other, rather than grant fewer scopes silently.
 */
export function requestedScopes(scope: string, allowed: readonly string[]): readonly string[] {
  const known: string[] = []
  for (const name of scope.split(' ')) {
    // Use the catalogue's own string: a slice of the request's would keep the whole request in memory.
    const own = allowed.find(candidate => candidate === name)
    // Refresh tokens depend on the grant, not on this scope (OpenID Connect Core §11): ignore it.
    if (own === undefined && name === 'offline_access') continue
    if (own === undefined) throw new OAuthError('invalid_scope', 'scope asks for something this app may not have')
    if (!known.includes(own)) known.push(own)
  }
  if (known.length === 0) throw new OAuthError('invalid_scope', 'scope is empty')
  // Share one array among all tokens that have every allowed scope.
  return known.every((name, index) => name === allowed[index]) && known.length === allowed.length ? allowed : known
}

/** Returns the scopes an app may ask for: its own, as far as the catalogue still has them. */
export function scopesOfApp(app: App, catalogue: Catalogue): readonly string[] {
  return app.scopes.every(name => catalogue.has(name)) ? app.scopes : app.scopes.filter(name => catalogue.has(name))
}

/** Returns the scopes an app may ask for when it acts for itself: those that do not need a user (`userOnly`). */
export function scopesWithoutUser(app: App, catalogue: Catalogue): readonly string[] {
  const allowed = (name: string) => catalogue.get(name)?.userOnly === false
  return app.scopes.every(allowed) ? app.scopes : app.scopes.filter(allowed)
}

/** Returns those of `scopes` that are in `allowed`. */
export function narrow(scopes: readonly string[], allowed: readonly string[]): readonly string[] {
  return scopes.every(name => allowed.includes(name)) ? scopes : scopes.filter(name => allowed.includes(name))
}

/**
 * Returns those of the granted scopes that the app and the catalogue still have. Throws `invalid_scope` if none is left.
 */
export function stillAllowed(granted: readonly string[], app: App, catalogue: Catalogue): readonly string[] {
  const scopes = narrow(granted, scopesOfApp(app, catalogue))
  if (scopes.length === 0)
    throw new OAuthError('invalid_scope', 'this app may no longer have any of the scopes that were granted')
  return scopes
}

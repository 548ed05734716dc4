import { wireId } from '../base/ids.ts'
import type { GrantApp } from '../options/grants.ts'
import type { App } from '../store/store.ts'
import { provesItself } from './client-facts.ts'

/** Converts an app for the host's own grants and authentication methods: without the hashes of its secrets. */
export function appForHost(app: App): GrantApp {
  return {
    clientId: wireId(app),
    orgId: app.orgId,
    name: app.name,
    redirectUris: [...app.redirectUris],
    allowedGrantTypes: [...app.grantTypes],
    allowedScopes: [...app.scopes],
    isConfidential: provesItself(app),
    accessTokenLifetime: app.accessTokenSeconds,
    refreshTokenLifetime: app.refreshTokenSeconds,
  }
}

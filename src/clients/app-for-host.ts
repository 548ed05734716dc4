import { wireId } from '../base/ids.ts'
import type { GrantApp } from '../options/grants.ts'
import type { App } from '../store/store.ts'
import { provesItself } from './client-facts.ts'

/** As much of an app as the host's own grants and ways of authentication may know: no hash of a secret is among it. */
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

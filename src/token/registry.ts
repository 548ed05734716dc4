import type { HostGrant } from '../options/grants.ts'
import type { TokenGrant } from './grant.ts'
import { authorizationCode } from './grants/authorization-code.ts'
import { clientCredentials } from './grants/client-credentials.ts'
import { refreshToken } from './grants/refresh-token.ts'
import { grantOfHost } from './host-grant.ts'

/** The built-in grants. */
const BUILT_IN: readonly TokenGrant[] = [authorizationCode, refreshToken, clientCredentials]

/** Grants by name. */
export type GrantRegistry = ReadonlyMap<string, TokenGrant>

/** Combines the built-in grants and those of the host, whose names were checked with its options. */
export function createGrantRegistry(grants: readonly HostGrant[]): GrantRegistry {
  return new Map([...BUILT_IN, ...grants.map(grantOfHost)].map(grant => [grant.name, grant]))
}

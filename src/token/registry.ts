import type { Config } from '../options/config.ts'
import type { TokenGrant } from './grant.ts'
import { authorizationCode } from './grants/authorization-code.ts'
import { clientCredentials } from './grants/client-credentials.ts'
import { deviceCode } from './grants/device-code.ts'
import { refreshToken } from './grants/refresh-token.ts'
import { grantOfHost } from './host-grant.ts'

/** The built-in grants. */
const BUILT_IN: readonly TokenGrant[] = [authorizationCode, refreshToken, clientCredentials]

/** Grants by name. */
export type GrantRegistry = ReadonlyMap<string, TokenGrant>

/** Combines the built-in grants, that of devices where they are switched on, and those of the host, whose names were checked with its options. */
export function createGrantRegistry({ devices, grants }: Pick<Config<never>, 'devices' | 'grants'>): GrantRegistry {
  const all = [...BUILT_IN, ...(devices ? [deviceCode] : []), ...grants.map(grantOfHost)]
  return new Map(all.map(grant => [grant.name, grant]))
}

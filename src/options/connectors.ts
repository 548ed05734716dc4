import type { ConnectorOptions } from '../connectors/options.ts'
import { nameUnknown, quote, within } from './checks.ts'
import type { AuthmountOptions } from './options.ts'

/** What the connectors need, checked. */
export interface Connectors {
  readonly provider: ConnectorOptions['provider']
  readonly baseUrls: readonly [string, ...string[]]
  readonly successPath: string
  readonly errorPath: string
  readonly ownedBy: 'user' | 'organization'
  readonly googleWorkspace: ConnectorOptions['googleWorkspace'] | null
  readonly unboundCallbacks: boolean
  readonly marginMs: number
  readonly sealingKeys: readonly Uint8Array[]
}

const KNOWN: readonly (keyof ConnectorOptions)[] = [
  'provider',
  'baseUrls',
  'successPath',
  'errorPath',
  'ownedBy',
  'googleWorkspace',
  'unboundCallbacks',
  'marginSeconds',
]

export function readConnectors(
  { connectors, sealingKeys }: Pick<AuthmountOptions<never>, 'connectors' | 'sealingKeys'>,
  problems: string[],
): Connectors | null {
  if (connectors === undefined) return null
  nameUnknown('connectors.', connectors, KNOWN, problems)
  if (!sealingKeys) problems.push('connectors need sealingKeys, which seal what providers issue')
  if (typeof connectors.provider !== 'function') problems.push('connectors.provider must be a function')
  const { errorPath = '/connectors/oauth/error', googleWorkspace = null, ownedBy = 'user' } = connectors
  const { successPath = '/connectors/oauth/success', unboundCallbacks = false } = connectors
  for (const [name, path] of Object.entries({ successPath, errorPath })) {
    if (typeof path !== 'string' || !/^\/(?![/\\])[^?#\s]*$/.test(path))
      problems.push(`connectors.${name} must be a path such as /done`)
  }
  if (!['user', 'organization'].includes(ownedBy)) problems.push('connectors.ownedBy must be user or organization')
  if (typeof unboundCallbacks !== 'boolean') problems.push('connectors.unboundCallbacks must be true or false')
  if (googleWorkspace !== null && typeof googleWorkspace?.connectorId !== 'string')
    problems.push('connectors.googleWorkspace must name its connectorId')
  const marginSeconds = within('connectors.marginSeconds', connectors.marginSeconds ?? 60, [0, 3600], problems)
  const [first, ...rest] = readOrigins(connectors.baseUrls, problems)
  return {
    provider: connectors.provider,
    baseUrls: [first ?? '', ...rest],
    successPath,
    errorPath,
    ownedBy,
    googleWorkspace,
    unboundCallbacks,
    marginMs: marginSeconds * 1000,
    sealingKeys: sealingKeys ?? [],
  }
}

function readOrigins(baseUrls: unknown, problems: string[]): readonly string[] {
  const given: readonly unknown[] = Array.isArray(baseUrls) ? baseUrls : []
  if (given.length === 0)
    problems.push('connectors.baseUrls must be an array of at least one origin, such as https://app.example.com')
  return given.filter((baseUrl): baseUrl is string => {
    const usable =
      typeof baseUrl === 'string' && URL.canParse(baseUrl) && /^https?:\/\//.test(baseUrl) && new URL(baseUrl).origin === baseUrl
    if (!usable) problems.push(`connectors.baseUrls: ${quote(baseUrl)} must be an origin, such as https://app.example.com`)
    return usable
  })
}

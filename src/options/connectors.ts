import type { ConnectorOptions } from '../connectors/options.ts'
import { flag, hook, number, oneOf, text } from './kinds.ts'
import { members, optional, required, type Table, type ValuesOf } from './rows.ts'
import { frontEndPath, origins } from './urls.ts'

type GoogleWorkspace = NonNullable<ConnectorOptions['googleWorkspace']>

const GOOGLE_WORKSPACE = {
  connectorId: required(text('the id of a connector', value => value !== '')),
  redirectUri: optional(
    text('an absolute URI', value => URL.canParse(value)),
    null,
  ),
} satisfies Table<GoogleWorkspace>

export const CONNECTORS = {
  provider: required(hook<ConnectorOptions['provider']>()),
  baseUrls: required(origins),
  successPath: optional(frontEndPath, '/connectors/oauth/success'),
  errorPath: optional(frontEndPath, '/connectors/oauth/error'),
  ownedBy: optional(oneOf(['user', 'organization']), 'user'),
  googleWorkspace: optional(members<GoogleWorkspace, typeof GOOGLE_WORKSPACE>(GOOGLE_WORKSPACE), null),
  unboundCallbacks: optional(flag, false),
  marginSeconds: optional(number([0, 3600], 'seconds'), 60),
} satisfies Table<ConnectorOptions>

/** The options of the connectors, checked. */
export interface Connectors extends Omit<ValuesOf<typeof CONNECTORS>, 'marginSeconds'> {
  readonly marginMs: number
  readonly sealingKeys: readonly Uint8Array[]
}

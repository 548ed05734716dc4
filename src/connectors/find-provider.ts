import { asIs, callHook } from '../base/hooks.ts'
import type { Config } from '../options/config.ts'
import type { ConnectorOwner } from './options.ts'
import type { Provider } from './provider.ts'

/** Asks the host's hook for the provider of a connector. Rejects if the hook rejects or is late. */
export async function findProvider(
  connectorId: string,
  { orgId, userId }: ConnectorOwner,
  { connectors, hookTimeoutMs }: Pick<Config<never>, 'connectors' | 'hookTimeoutMs'>,
): Promise<Provider | 'no-oauth' | null> {
  const ask = () => connectors?.provider(connectorId, { userId, orgId })
  return (await callHook('connectors.provider', ask, asIs, { hookTimeoutMs })) ?? null
}

import { type Authmount, ConnectorError } from 'authmount'
import type { Provider } from 'authmount/connectors'
import { connectionsPage } from './pages.ts'
import type { User } from './users.ts'

export const CONNECTOR = 'contacts'

interface Contact {
  readonly name: string
  readonly phone: string
}

/** The page on which a user connects an outside account, and sees what the host reads there. */
export async function showConnections(
  authmount: Authmount,
  provider: Provider,
  { id: userId, orgId }: User,
  error: unknown,
): Promise<string> {
  const { connected, needsReconnect } = await authmount.connectorStatus(CONNECTOR, { userId, orgId })
  const reason = typeof error === 'string' ? error : null
  if (!connected || needsReconnect) return connectionsPage({ contacts: null, error: reason })
  try {
    return connectionsPage({ contacts: await readContacts(authmount, provider, { userId, orgId }), error: reason })
  } catch (cause) {
    if (cause instanceof ConnectorError) return connectionsPage({ contacts: null, error: cause.code })
    throw cause
  }
}

/** Calls the provider with a token that is good; once more with a new one, if the provider refuses it all the same. */
async function readContacts(
  authmount: Authmount,
  provider: Provider,
  owner: { readonly userId: string; readonly orgId: string },
): Promise<readonly Contact[]> {
  const call = (accessToken: string) =>
    fetch(`${provider.issuer}/api/contacts`, { headers: { authorization: `Bearer ${accessToken}` } })
  const { accessToken } = await authmount.connectorToken(CONNECTOR, owner)
  let answer = await call(accessToken)
  if (answer.status === 401) {
    const fresh = await authmount.connectorToken(CONNECTOR, owner, { refused: accessToken })
    answer = await call(fresh.accessToken)
  }
  return (await answer.json()) as readonly Contact[]
}

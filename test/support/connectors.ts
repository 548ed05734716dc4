import type { ConnectorOptions } from 'authmount'
import type { Provider } from 'authmount/connectors'
import type { Answer } from './client.ts'
import type { HostOptions, TestHost } from './host.ts'
import { SEALING_KEY } from './sign-in.ts'

export const CALLBACK = 'https://issuer.example/connectors/oauth/callback'
export const FRONT = 'https://app.example'
export const OTHER_FRONT = 'https://other.example'
export const ANNA = { userId: 'anna', orgId: 'org-1' }
export const BERT = { userId: 'bert', orgId: 'org-1' }

/** A host with connectors by id, whose providers may be on this machine. */
export function withConnectors(
  providers: Readonly<Record<string, Provider | (() => Provider | null)>>,
  options: Partial<ConnectorOptions> = {},
): HostOptions {
  return {
    sealingKeys: [SEALING_KEY],
    signingAlg: 'ES256',
    allowLoopbackProviders: true,
    connectors: {
      baseUrls: [FRONT, OTHER_FRONT],
      provider: connectorId => {
        const provider = Object.hasOwn(providers, connectorId) ? providers[connectorId] : null
        return typeof provider === 'function' ? provider() : provider
      },
      ...options,
    },
  }
}

/** A browser that begins to connect an outside account: who it is to the host, and its cookie of the flow. */
export interface Begun {
  readonly answer: Answer
  readonly authorizationUrl: URL
  readonly state: string
  readonly cookie: string
}

export async function begin(host: TestHost, connectorId: string, user = 'anna', query = ''): Promise<Begun> {
  const { mountPath } = host.authmount
  const path = `${mountPath}/connectors/${encodeURIComponent(connectorId)}/oauth/authorize${query}`
  const answer = await host.send(path, { headers: { authorization: `Bearer host-${user}` } })
  const { authorizationUrl = 'about:blank', state = '' } = answer.body as Record<string, string>
  const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';')
  return { answer, authorizationUrl: new URL(authorizationUrl), state, cookie }
}

/** The provider sends the browser back. */
export function comeBack(
  host: TestHost,
  params: Readonly<Record<string, string>>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return host.send(`${host.authmount.mountPath}/connectors/oauth/callback?${new URLSearchParams(params)}`, { headers })
}

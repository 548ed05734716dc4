import { once } from 'node:events'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

// Its advice is for those who run it.
for (const method of ['info', 'warn'] as const) {
  const say = console[method]
  console[method] = (...words: unknown[]) => {
    if (!String(words[0]).startsWith('oidc-provider')) say(...words)
  }
}

/** An OpenID Connect provider by somebody else, on this machine: whoever comes is Anna, and agrees. */
export interface OutsideProvider {
  readonly url: string
  /** Follows a browser's way from an authorization request to wherever the provider sends it in the end. */
  browse(authorizationUrl: string): Promise<URL>
  close(): Promise<void>
}

export const OUTSIDE_CLIENT = { clientId: 'the-host', clientSecret: 'secret of the host, at least thirty-two bytes' }

export async function startOutsideProvider(redirectUris: readonly string[]): Promise<OutsideProvider> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  const { clientId, clientSecret } = OUTSIDE_CLIENT
  const provider = new Provider(url, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [...redirectUris],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    cookies: { keys: ['keys of the tests'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    interactions: { url: (_context, { uid }) => `/agree/${uid}` },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    pkce: { required: () => false },
    ttl: {
      AccessToken: 3600,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 600,
    },
    findAccount: async (_context, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, email: 'anna@outside.example', email_verified: true }),
    }),
  })
  const handle = provider.callback()
  server.on('request', (request, response) => {
    if (!request.url?.startsWith('/agree/')) return handle(request, response)
    agree(provider, request, response).catch(() => response.destroy())
  })
  return { url, browse: browseFrom, close: () => new Promise(resolve => server.close(() => resolve())) }
}

type Request = Parameters<Provider['interactionDetails']>[0]
type Response = Parameters<Provider['interactionDetails']>[1]

/** What a user does who signs in and agrees to all that is asked. */
async function agree(provider: Provider, request: Request, response: Response): Promise<void> {
  const { params, prompt, session } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: 'anna' } })
  const grant = new provider.Grant({ accountId: session?.accountId ?? '', clientId: String(params.client_id) })
  grant.addOIDCScope(String(params.scope))
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
}

async function browseFrom(authorizationUrl: string): Promise<URL> {
  const cookies = new Map<string, string>()
  let url = new URL(authorizationUrl)
  const { origin } = url
  while (url.origin === origin) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`the outside provider stopped at ${url}: ${response.status} ${await response.text()}`)
    url = new URL(location, url)
  }
  return url
}

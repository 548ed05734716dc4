import {
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type OAuthTokens,
  type StoredOAuthClientInformation,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'

/** What an agent has to keep of one server, by the interface of the SDK. A real one keeps it on disk. */
export class Connection implements OAuthClientProvider {
  readonly redirectUrl: string
  readonly clientMetadata: OAuthClientProvider['clientMetadata']
  /** Where the agent has to send its user. */
  sentTo: URL | undefined
  #tokens: OAuthTokens | undefined
  #verifier = ''
  #client: StoredOAuthClientInformation | undefined
  #discovered: OAuthDiscoveryState | undefined

  constructor(redirectUrl: string) {
    this.redirectUrl = redirectUrl
    this.clientMetadata = { client_name: 'Example agent', redirect_uris: [redirectUrl], token_endpoint_auth_method: 'none' }
  }

  clientInformation(): StoredOAuthClientInformation | undefined {
    return this.#client
  }

  saveClientInformation(client: StoredOAuthClientInformation): void {
    this.#client = client
  }

  tokens(): OAuthTokens | undefined {
    return this.#tokens
  }

  saveTokens(tokens: OAuthTokens): void {
    this.#tokens = tokens
  }

  redirectToAuthorization(url: URL): void {
    this.sentTo = url
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }

  codeVerifier(): string {
    return this.#verifier
  }

  saveDiscoveryState(discovered: OAuthDiscoveryState): void {
    this.#discovered = discovered
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.#discovered
  }
}

/** An agent that uses an MCP server by its URL. `askUser` takes its user to an address, and resolves to the one they come back to. */
export class Agent {
  readonly #url: URL
  readonly #connection: Connection
  readonly #askUser: (url: URL) => Promise<URL>

  constructor(url: string, connection: Connection, askUser: (url: URL) => Promise<URL>) {
    this.#url = new URL(url)
    this.#connection = connection
    this.#askUser = askUser
  }

  /** Calls a tool, and resolves to what it says. Asks the user first if the agent may not, or not yet. */
  async call(tool: string, args: Record<string, string> = {}): Promise<string> {
    try {
      return await this.#try(tool, args)
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || !this.#connection.sentTo) throw error
      const back = await this.#askUser(this.#connection.sentTo)
      await this.#transport().finishAuth(back.searchParams)
      return this.#try(tool, args)
    }
  }

  async #try(tool: string, args: Record<string, string>): Promise<string> {
    const client = new Client({ name: 'example-agent', version: '1.0.0' })
    try {
      await client.connect(this.#transport())
      const { content } = await client.callTool({ name: tool, arguments: args })
      return content.map(part => (part.type === 'text' ? part.text : `(${part.type})`)).join('\n')
    } finally {
      await client.close()
    }
  }

  #transport(): StreamableHTTPClientTransport {
    return new StreamableHTTPClientTransport(this.#url, { authProvider: this.#connection, fetch: watched })
  }
}

/** Prints what the SDK asks for, and what it is refused with. */
async function watched(input: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init)
  const challenge = response.headers.get('www-authenticate')
  console.log(`\n→ ${init?.method ?? 'GET'} ${input}\n← ${response.status}${challenge === null ? '' : `\n  ${challenge}`}`)
  return response
}

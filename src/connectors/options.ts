import type { Provider } from './provider.ts'

/** The user whose outside account it is. */
export interface ConnectorOwner {
  /** The user. */
  readonly userId: string
  /** The user's organisation. */
  readonly orgId: string
}

/** The option `connectors`: outside accounts that users connect. */
export interface ConnectorOptions {
  /**
   * Returns the provider behind a connector of this user, with the host's credentials there. null: there is none (404);
   * `no-oauth`: it is connected in another way (400). Called again for the callback and for every refresh.
   */
  readonly provider: (
    connectorId: string,
    owner: ConnectorOwner,
  ) => Promise<Provider | 'no-oauth' | null | undefined> | Provider | 'no-oauth' | null | undefined
  /** Origins of your front ends, such as `https://app.example.com`: the only places a callback returns to. The first is the default. */
  readonly baseUrls: readonly string[]
  /** The front end's page for a success; gets `connectorId`. Default `/connectors/oauth/success`. */
  readonly successPath?: string | undefined
  /** The front end's page for a failure; gets `connectorId` and `error`. Default `/connectors/oauth/error`. */
  readonly errorPath?: string | undefined
  /** Whether an outside account belongs to one user or to a whole organisation. Default `user`. */
  readonly ownedBy?: 'user' | 'organization' | undefined
  /** The connector of POST /connectors/getTokenFromCode, whose front end gets the code itself. Default: not served. */
  readonly googleWorkspace?:
    | {
        /** The connector, as `provider` knows it. */
        readonly connectorId: string
        /** The redirect URI with which the front end got the code. Default: the callback of this server. */
        readonly redirectUri?: string | undefined
      }
    | undefined
  /**
   * Accept a callback that cannot be bound to the browser of the user who began the flow: neither your session nor a cookie of
   * this server reaches it. An attacker can then connect their own account to another user. Default false.
   */
  readonly unboundCallbacks?: boolean | undefined
  /** How long a token of `connectorToken` is valid for at least. 0–3600 seconds; default 60. */
  readonly marginSeconds?: number | undefined
}

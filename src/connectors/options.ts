import type { Provider } from './provider.ts'

/** The user whose outside account it is, and the organisation they act in. */
export interface ConnectorOwner {
  /** As `authenticate` returned it. */
  readonly userId: string
  /** As `authenticate` returned it. */
  readonly orgId: string
}

/** Outside accounts of the host's users: this server is the OAuth client of other providers. */
export interface ConnectorOptions {
  /**
   * Returns the provider behind a connector of this user's, with your credentials there. null: there is none (404);
   * `no-oauth`: it is connected in another way (400). Called again for the callback and for every refresh.
   */
  readonly provider: (
    connectorId: string,
    owner: ConnectorOwner,
  ) => Promise<Provider | 'no-oauth' | null | undefined> | Provider | 'no-oauth' | null | undefined
  /** Origins of your front ends, such as `https://app.example.com`: the only places a callback returns to. The first is used where a request names none. */
  readonly baseUrls: readonly string[]
  /** The page of the front end for a success; gets `connectorId`. Default `/connectors/oauth/success`. */
  readonly successPath?: string | undefined
  /** The page of the front end for a failure; gets `connectorId` and `error`. Default `/connectors/oauth/error`. */
  readonly errorPath?: string | undefined
  /** `user`: each user has an account of their own. `organization`: all users of an organisation share one. Default `user`. */
  readonly ownedBy?: 'user' | 'organization' | undefined
  /** For a front end that redeems codes of Google Workspace itself. Default: `POST /connectors/getTokenFromCode` is not served. */
  readonly googleWorkspace?:
    | {
        /** The connector of `POST /connectors/getTokenFromCode`. */
        readonly connectorId: string
        /** The redirect URI with which the front end asked for the code, absolute. Default: this server's connector callback. */
        readonly redirectUri?: string | undefined
      }
    | undefined
  /**
   * Accept a callback that cannot be bound to the browser of the user who began the flow: neither your session nor a cookie of
   * this server reaches it. An attacker can then connect their own account to another user. Default `false`.
   */
  readonly unboundCallbacks?: boolean | undefined
  /** The shortest remaining life of a token that `connectorToken` returns. 0–3,600 seconds; default 60. */
  readonly marginSeconds?: number | undefined
}

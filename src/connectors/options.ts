import type { Provider } from './provider.ts'

/** Whose outside account it is. */
export interface ConnectorOwner {
  readonly userId: string
  readonly orgId: string
}

export interface ConnectorOptions {
  /**
   * The provider behind a connector of this user's, with the host's credentials there. null: there is none (404);
   * `no-oauth`: it is connected in another way (400). Asked again for the callback and for every refresh.
   */
  readonly provider: (
    connectorId: string,
    owner: ConnectorOwner,
  ) => Promise<Provider | 'no-oauth' | null | undefined> | Provider | 'no-oauth' | null | undefined
  /** Origins of your front ends, such as `https://app.example.com`: the only places a callback returns to. The first is the default. */
  readonly baseUrls: readonly string[]
  /** Where the front end says that it worked; gets `connectorId`. Default `/connectors/oauth/success`. */
  readonly successPath?: string | undefined
  /** Where it says that it did not; gets `connectorId` and `error`. Default `/connectors/oauth/error`. */
  readonly errorPath?: string | undefined
  /** Who shares an outside account: nobody, or everyone of an organisation. Default `user`. */
  readonly ownedBy?: 'user' | 'organization' | undefined
  /** The connector of POST /connectors/getTokenFromCode, whose front end redeems a code by `redirectUri` of its own. Default: not served. */
  readonly googleWorkspace?: { readonly connectorId: string; readonly redirectUri?: string | undefined } | undefined
  /**
   * Accept a callback although nothing shows that it came to the browser of the user who began: where neither your session nor
   * a cookie of this server reaches it. Somebody else's account can then be connected to theirs. Default false.
   */
  readonly unboundCallbacks?: boolean | undefined
  /** How long a token of `connectorToken` is still good for, at least. 0–3600 seconds; default 60. */
  readonly marginSeconds?: number | undefined
}

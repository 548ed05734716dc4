/** What the scripts of the playground pass to one another. */

export interface User {
  readonly id: string
  readonly name: string
  readonly orgId: string
  readonly isAdmin: boolean
}

/** What the server tells the page of itself. */
export interface Host {
  readonly issuer: string
  /** Who is signed in with the host. */
  readonly user: User | null
  readonly graceSeconds: number
  /** Another one for each start of the host. */
  readonly run: string
}

/** All that has happened in this tab. Survives the way to the server and back. */
export interface State {
  readonly run: string
  user: User | null
  app: App | null
  prepared: Prepared | null
  /** What came back with the code. */
  returned: Returned | null
  tokens: Tokens | null
  /** The refresh token that has been used twice, and when it was first (milliseconds since 1970). */
  spent: { readonly refreshToken: string; readonly since: number } | null
  /** The `state` of a logout that is under way. */
  logoutState: string | null
  /** What each action showed last. */
  shown: { [Name in ActionName]?: Shown }
}

export interface App {
  readonly clientId: string
  /** null: a public app. */
  readonly clientSecret: string | null
  readonly redirectUri: string
  readonly scope: string
}

/** A code, where it came back to, and what belongs to it. */
export interface Returned {
  readonly code: string
  readonly url: string
  readonly state: string
  readonly verifier: string
}

/** Made for one authorization request. */
export interface Prepared {
  readonly verifier: string
  readonly challenge: string
  readonly state: string
  readonly used: boolean
}

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string | null
  readonly idToken: string | null
}

export type ActionName =
  | 'signIn'
  | 'createApp'
  | 'prepare'
  | 'authorize'
  | 'redeem'
  | 'records'
  | 'addRecord'
  | 'introspect'
  | 'revoke'
  | 'recordsRevoked'
  | 'refresh'
  | 'retry'
  | 'reuse'
  | 'left'
  | 'signOut'

/** What an action did, and what there is to notice. */
export interface Shown {
  readonly exchanges: readonly Exchange[]
  readonly notes: readonly Note[]
  /** Something in an answer, made readable. */
  readonly inside: Inside | null
}

export interface Inside {
  readonly title: string
  readonly value: unknown
}

export interface Note {
  /** `fact`: neither good nor bad. */
  readonly kind: 'good' | 'bad' | 'fact'
  readonly text: string
}

/** A request and what came of it, as it is shown. */
export interface Exchange {
  readonly title: string | null
  readonly request: Sent | null
  readonly answer: Answer | null
  readonly curl: string
  readonly code: string
}

export interface Sent {
  readonly method: 'GET' | 'POST'
  readonly url: string
  /** What this page sets. The browser adds its own. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** Whether the browser sends the host's session along. `begins`: the answer sets it. */
  readonly session: 'none' | 'sent' | 'begins'
}

export type Answer =
  | {
      readonly kind: 'response'
      readonly status: number
      readonly statusText: string
      readonly headers: readonly (readonly [string, string])[]
      readonly body: string
      readonly milliseconds: number
      /** Where a redirect led before this answer. */
      readonly followedTo: string | null
    }
  /** The browser came back to this page. */
  | { readonly kind: 'callback'; readonly url: string }
  /** Made here, without a request. */
  | { readonly kind: 'made'; readonly values: readonly (readonly [string, string])[] }
  /** There was no answer. */
  | { readonly kind: 'failure'; readonly message: string }

/** What one press of a button does. */
export interface Action {
  /** What is missing before it can be done; null: nothing. */
  missing(state: State, host: Host): string | null
  /** The requests, in order. */
  plan(state: State, form: FormData): Promise<readonly Plan[]> | readonly Plan[]
  /** What is known after an answer. */
  learn?(state: State, exchange: Exchange, index: number): void
  /** What to notice. `before` is what was known before the requests were sent. */
  notes(state: State, exchanges: readonly Exchange[], before: State): readonly Note[]
  inside?(exchanges: readonly Exchange[]): Inside | null
}

/** What is about to be sent, and how else it could be. */
export interface Plan {
  readonly title?: string
  readonly request: Sent | null
  readonly code: string
  /** Default: made from the request. */
  readonly curl?: string
  /** For what is made here: the values. */
  readonly made?: readonly (readonly [string, string])[]
  /** The browser leaves for the address. */
  readonly leaves?: boolean
}

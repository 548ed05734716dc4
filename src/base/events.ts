import { channel } from 'node:diagnostics_channel'
import type { Log } from './log.ts'
import type { EpochMs } from './time.ts'

interface Of<Type extends string> {
  /** The name of the event. */
  readonly type: Type
  /** When it happened. */
  readonly at: EpochMs
  /** The app, by its name on the wire. */
  readonly clientId: string
}
interface OfApp<Type extends string> extends Of<Type> {
  /** The organisation that manages the app. */
  readonly orgId: string
  /** The user who did it. */
  readonly actorId: string
}
interface OfGrant<Type extends string> extends Of<Type> {
  /** The grant: the authorization and every token that descends from it. */
  readonly grantId: string
  /** The user's organisation; the app's own where the app acts for itself. */
  readonly orgId: string
  /** null where an app acts for itself. */
  readonly userId: string | null
}

interface OfRule<Type extends string> extends Of<Type> {
  /** The grant; null where there is none yet. */
  readonly grantId: string | null
  /** The user's organisation; the app's own where the app acts for itself. */
  readonly orgId: string
  /** null where an app acts for itself. */
  readonly userId: string | null
}

interface OfLogout<Type extends string> extends Of<Type> {
  /** The user who was signed out. */
  readonly userId: string
  /** The session that ended, as the app's ID tokens name it; null: every session of the user. */
  readonly sid: string | null
  /** How many requests were sent. */
  readonly tries: number
}

interface OfConnector<Type extends string> {
  /** The name of the event. */
  readonly type: Type
  /** When it happened. */
  readonly at: EpochMs
  /** The connector, as the host names it. */
  readonly connectorId: string
  /** The user's organisation. */
  readonly orgId: string
  /** The user whose outside account it is. */
  readonly userId: string
}

interface OfConsent<Type extends string> extends Of<Type> {
  /** The user's organisation. */
  readonly orgId: string
  /** The user who decided, or who must. */
  readonly userId: string
}

interface OfAdmission<Type extends string> extends Of<Type> {
  /** The organisation. */
  readonly orgId: string
  /** The admin who decided, or whom the host named. */
  readonly actorId: string
}

/** An audit event. Never contains a token, code or secret. */
export type AuthmountEvent =
  | OfApp<'app_created'>
  | (OfApp<'app_updated'> & {
      /** The names of the fields that were changed. */
      readonly changed: readonly string[]
    })
  | OfApp<'app_deleted'>
  | OfApp<'app_suspended'>
  | OfApp<'app_activated'>
  | (OfApp<'app_secret_regenerated'> & {
      /** How long the old secret goes on working, in seconds. */
      readonly overlapSeconds: number
    })
  | (OfApp<'app_tokens_revoked'> & {
      /** How many live tokens ended; null if the answer of the store was lost. */
      readonly count: number | null
    })
  /** A client that nobody registered by hand is known now: by its document, or because it registered itself. */
  | (Of<'client_registered'> & {
      /** How it came. */
      readonly origin: 'metadata' | 'registered'
    })
  /** The document of a client says something else than before. */
  | Of<'client_changed'>
  /** A client deleted its registration. */
  | Of<'client_unregistered'>
  /** The host blocked a client that nobody registered by hand, for everyone. */
  | Of<'client_blocked'>
  /** The host lifted such a block. */
  | Of<'client_unblocked'>
  /** A user wants to use a client that an admin of their organisation must allow first. */
  | (Of<'admission_requested'> & {
      /** The user's organisation. */
      readonly orgId: string
      /** The user. */
      readonly userId: string
    })
  /** An admin lets a client in for their organisation. */
  | OfAdmission<'admission_allowed'>
  /** An admin refuses a client for their organisation, or ends what it holds there. */
  | (OfAdmission<'admission_refused' | 'admission_ended'> & {
      /** How many grants ended; null if the answer of the store was lost. */
      readonly revoked: number | null
    })
  /** The store of the rate limits failed: each process counts for itself until the store answers again. */
  | {
      /** The name of the event. */
      readonly type: 'rate_limiter_unavailable'
      /** When it happened. */
      readonly at: EpochMs
    }
  | (OfConsent<'consent_granted'> & {
      /** The scopes the user agreed to. */
      readonly scopes: readonly string[]
      /** The optional scopes that the user was asked for and did not agree to. */
      readonly declined: readonly string[]
    })
  | (OfConsent<'consent_denied'> & {
      /** The scopes the user did not agree to. */
      readonly scopes: readonly string[]
    })
  /** A user withdrew the consent they had given an app. */
  | (OfConsent<'consent_withdrawn'> & {
      /** How many grants ended; null if the answer of the store was lost. */
      readonly revoked: number | null
    })
  /** A user ended one grant of an app among those they have: one device, or one sign-in. */
  | OfGrant<'device_ended'>
  /** The host ended the grants of a user. */
  | {
      /** The name of the event. */
      readonly type: 'user_grants_ended'
      /** When it happened. */
      readonly at: EpochMs
      /** The user. */
      readonly userId: string
      /** The app whose grants ended; null: those of every app. */
      readonly clientId: string | null
      /** How many grants ended; null if the answer of the store was lost. */
      readonly revoked: number | null
    }
  /** A user was sent to a step of the host's. */
  | (OfConsent<'step_required'> & {
      /** The name of the step. */
      readonly step: string
    })
  /** The host's server said that a user has passed a step. */
  | (OfConsent<'step_passed'> & {
      /** The name of the step. */
      readonly step: string
      /** The organisation that was chosen in it; null: none was. */
      readonly chosenOrgId: string | null
      /** The authentication context that was reached; null: the step does not say. */
      readonly acr: string | null
    })
  /** A login session of the host's ended for the apps: the host called `endSession`, or an app had the user signed out. */
  | {
      /** The name of the event. */
      readonly type: 'session_ended'
      /** When it happened. */
      readonly at: EpochMs
      /** The user. */
      readonly userId: string
      /** The session, as ID tokens name it; null: every session of the user. */
      readonly sid: string | null
      /** How many grants ended with it; null if the answer of the store was lost. */
      readonly revoked: number | null
    }
  /** A grant without `offline_access` ended with the session in which it was made. */
  | OfGrant<'session_grant_ended'>
  /** An app has confirmed that a session of a user has ended (OpenID Connect Back-Channel Logout). */
  | OfLogout<'logout_delivered'>
  /** An app could not be told that a session of a user has ended: the user may still be signed in there. */
  | (OfLogout<'logout_failed'> & {
      /**
       * Why not: its address is not allowed (`refused`); it did not answer in time (`timeout`), too much (`too_large`), with a
       * redirect, or not at all (`network`); it answered an error (`answer`); it needs the name of a session, and none is known
       * (`no_session`); it was deleted or blocked meanwhile (`app_gone`).
       */
      readonly reason: 'refused' | 'timeout' | 'too_large' | 'redirect' | 'network' | 'answer' | 'no_session' | 'app_gone'
      /** The HTTP status of its answer; null unless the reason is `answer`. */
      readonly status: number | null
    })
  | (OfGrant<'token_issued'> & {
      /** The grant type, such as `authorization_code`. */
      readonly grantType: string
      /** The scopes of the access token. */
      readonly scopes: readonly string[]
    })
  | (OfGrant<'token_refreshed'> & {
      /** The scopes of the new access token. */
      readonly scopes: readonly string[]
    })
  | (OfGrant<'token_revoked'> & {
      /** Which kind of token was revoked. */
      readonly tokenType: 'access' | 'refresh'
      /** The access token (RFC 7519 §4.1.7); null for a refresh token, with which every token of the grant ended. */
      readonly jti: string | null
    })
  /** The host's own rules have denied something; a grant that it was about has ended, if that was at a refresh. */
  | (OfRule<'policy_denied'> & {
      /** What was denied. */
      readonly during: 'authorize' | 'token' | 'refresh' | 'use'
      /** The option that has denied it: `claims` and `accessTokenClaims` by returning null. */
      readonly by: 'policy' | 'claims' | 'accessTokenClaims'
      /** The OAuth error code that the client received. */
      readonly error: string
    })
  /** The host's `policy` has allowed less than was asked for. */
  | (OfRule<'policy_limited'> & {
      /** What it was asked about. */
      readonly during: 'authorize' | 'token' | 'refresh'
      /** The scopes that it took away. */
      readonly removedScopes: readonly string[]
      /** The longest life of the access token that it allows; null: it does not say. */
      readonly accessTokenSeconds: number | null
      /** The longest life of the refresh token that it allows; null: it does not say. */
      readonly refreshTokenSeconds: number | null
    })
  /** An error page was shown. */
  | {
      /** The name of the event. */
      readonly type: 'error_shown'
      /** When it happened. */
      readonly at: EpochMs
      /** The reference on the page, which a user can quote. */
      readonly reference: string
      /** The OAuth error code. */
      readonly error: string
      /** The description for the client's developer. */
      readonly description: string
    }
  /** A user connected an outside account. */
  | OfConnector<'connector_connected'>
  /** An outside account could not be connected. */
  | (OfConnector<'connector_failed'> & {
      /** The error code that the front end received. */
      readonly error: string
    })
  | OfConnector<'connector_refreshed'>
  /**
   * The provider no longer refreshes the token. Emitted once, until the user connects the account again; twice if the store failed
   * meanwhile.
   */
  | OfConnector<'connector_needs_reconnect'>
  | (OfConnector<'connector_disconnected'> & {
      /** Whether the provider confirmed that it revoked the tokens. */
      readonly revoked: boolean
    })
  /** A spent refresh token was presented after the grace period: its grant was revoked. */
  | OfGrant<'refresh_reuse'>
  /** An authorization code was presented a second time: the grant it had been redeemed for was revoked. */
  | (OfGrant<'code_replay'> & {
      /** False if there was nothing to revoke. */
      readonly revoked: boolean
    })

/** Publishes audit events. */
export interface Events {
  /** Publishes one event. Never throws. */
  emit(event: AuthmountEvent): void
}

/**
 * Publishes to the `authmount:event` diagnostics channel and to the host's sink. Neither can fail the request. Node reports
 * an exception of a channel's subscriber as uncaught, as it does for every channel.
 */
export function createEvents(sink: ((event: AuthmountEvent) => void) | null, log: Log): Events {
  const published = channel('authmount:event')
  return {
    emit(event) {
      if (published.hasSubscribers) published.publish(event)
      if (!sink) return
      try {
        // A sink may be async in spite of its type; its rejection must not go unhandled.
        Promise.resolve(sink(event)).catch(cause => log.error('onEvent rejected', cause))
      } catch (cause) {
        log.error('onEvent threw', cause)
      }
    },
  }
}

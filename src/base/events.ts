import { channel } from 'node:diagnostics_channel'
import type { Log } from './log.ts'
import type { EpochMs } from './time.ts'

interface Of<Type extends string> {
  readonly type: Type
  readonly at: EpochMs
  readonly clientId: string
}
interface OfApp<Type extends string> extends Of<Type> {
  readonly orgId: string
  /** The user who did it. */
  readonly actorId: string
}
interface OfGrant<Type extends string> extends Of<Type> {
  readonly grantId: string
  readonly orgId: string
  /** null where an app acts for itself. */
  readonly userId: string | null
}

interface OfConnector<Type extends string> {
  readonly type: Type
  readonly at: EpochMs
  readonly connectorId: string
  readonly orgId: string
  readonly userId: string
}

/** What happened that somebody may one day have to explain. Never contains a token, code or secret. */
export type AuthmountEvent =
  | OfApp<'app_created'>
  | (OfApp<'app_updated'> & { readonly changed: readonly string[] })
  | OfApp<'app_deleted'>
  | OfApp<'app_suspended'>
  | OfApp<'app_activated'>
  | (OfApp<'app_secret_regenerated'> & { readonly overlapSeconds: number })
  | (OfApp<'app_tokens_revoked'> & { readonly count: number })
  /** The store of the rate limits failed: each process counts for itself until it is back. */
  | { readonly type: 'rate_limiter_unavailable'; readonly at: EpochMs }
  | (Of<'consent_granted'> & { readonly orgId: string; readonly userId: string; readonly scopes: readonly string[] })
  | (Of<'consent_denied'> & { readonly orgId: string; readonly userId: string; readonly scopes: readonly string[] })
  /** A user took back what they had allowed an app; `revoked` says how many grants ended. */
  | (Of<'consent_withdrawn'> & { readonly orgId: string; readonly userId: string; readonly revoked: number })
  /** The host ended a user's grants, of one app or (`null`) of all; `revoked` says how many. */
  | {
      readonly type: 'user_grants_ended'
      readonly at: EpochMs
      readonly userId: string
      readonly clientId: string | null
      readonly revoked: number
    }
  | (OfGrant<'token_issued'> & { readonly grantType: string; readonly scopes: readonly string[] })
  | (OfGrant<'token_refreshed'> & { readonly scopes: readonly string[] })
  | (OfGrant<'token_revoked'> & {
      readonly tokenType: 'access' | 'refresh'
      /** Which access token (RFC 7519 §4.1.7); null: with its refresh token, every one of the grant. */
      readonly jti: string | null
    })
  /** Somebody was shown an error page: `reference` is the one they can tell. */
  | {
      readonly type: 'error_shown'
      readonly at: EpochMs
      readonly reference: string
      readonly error: string
      readonly description: string
    }
  /** A user connected an outside account. */
  | OfConnector<'connector_connected'>
  /** It could not be connected; `error` is what the front end was told. */
  | (OfConnector<'connector_failed'> & { readonly error: string })
  | OfConnector<'connector_refreshed'>
  /** The provider no longer refreshes it: said once, until the user connects it again. */
  | OfConnector<'connector_needs_reconnect'>
  | (OfConnector<'connector_disconnected'> & { readonly revoked: boolean })
  /** A spent refresh token came back after the grace: its grant has been revoked. */
  | OfGrant<'refresh_reuse'>
  /** An authorization code came back: what it had been redeemed for has been revoked. */
  | (OfGrant<'code_replay'> & {
      /** False when there was nothing (left) to revoke. */
      readonly revoked: boolean
    })

export interface Events {
  emit(event: AuthmountEvent): void
}

/**
 * Publishes to the `authmount:event` diagnostics channel and to the host's sink. Neither can fail the request; what a
 * subscriber of the channel throws, Node reports as an uncaught exception, as it does for every channel.
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

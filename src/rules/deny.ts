import type { AuthmountEvent } from '../base/events.ts'
import { wireId } from '../base/ids.ts'
import { OAuthError, type OAuthErrorCode } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { App, Grant } from '../store/store.ts'

/** The app, and the user or nobody for whom it acts, that a rule of the host's is about. */
export interface Subject {
  readonly app: App
  /** The grant, or what will be one. */
  readonly of: Pick<Grant, 'context' | 'orgId' | 'userId'> & { readonly id: string | null; readonly createdAt: number | null }
}

/** What was denied, and which option has denied it. */
export type Denial = Pick<Extract<AuthmountEvent, { readonly type: 'policy_denied' }>, 'by' | 'during'>

/** The host said no. Its code and description are for the client. */
export class HostDenial extends OAuthError {}

/** Makes the error of a denial, and emits its event. */
export function deny(
  { app, of }: Subject,
  { by, during }: Denial,
  { code: error, description }: { readonly code: OAuthErrorCode; readonly description: string },
  { events, now }: Pick<Context, 'events' | 'now'>,
): HostDenial {
  const { id: grantId, orgId, userId } = of
  events.emit({ type: 'policy_denied', at: now, clientId: wireId(app), orgId, userId, grantId, during, by, error })
  return new HostDenial(error, description)
}

/** The code of a denied token: the client has to start anew, or may not have such a token at all. */
export function deniedTokenCode({ of }: Subject): 'invalid_grant' | 'unauthorized_client' {
  return of.userId === null ? 'unauthorized_client' : 'invalid_grant'
}

/** The description of a denial for which the host has no words. */
export const NOT_ALLOWED = 'the rules of this server do not allow it'

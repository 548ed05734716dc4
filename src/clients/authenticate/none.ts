import { optional } from '../../http/params.ts'
import type { ClientAuthentication } from './method.ts'

/** Accepts an app without credentials by its name alone (RFC 6749 §3.2.1); its PKCE verifier or refresh token is the proof. */
export const none: ClientAuthentication = {
  name: 'none',
  wireNames: ['none'],
  present({ params }) {
    const clientId = optional(params, 'client_id')
    return clientId === undefined ? undefined : { clientId, proof: '' }
  },
  prove: app => app !== undefined,
}

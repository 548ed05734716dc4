import { optional } from '../../http/params.ts'
import type { ClientAuthentication } from './method.ts'

/** An app without credentials only names itself (RFC 6749 §3.2.1); what it presents beside that must prove the rest. */
export const none: ClientAuthentication = {
  name: 'none',
  wireNames: ['none'],
  present({ params }) {
    const clientId = optional(params, 'client_id')
    return clientId === undefined ? undefined : { clientId, proof: '' }
  },
  prove: app => app !== undefined,
}

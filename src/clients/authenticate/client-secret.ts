import { sameDigest, sha256 } from '../../base/crypto.ts'
import type { EpochMs } from '../../base/time.ts'
import { OAuthError } from '../../errors/oauth-error.ts'
import { optional } from '../../http/params.ts'
import type { App, AppSecret } from '../../store/store.ts'
import { newClientSecret } from '../../tokens/opaque.ts'
import { clientRefused } from './client-refused.ts'
import type { ClientAuthentication, ClientRequest, Presented } from './method.ts'

/** Authenticates by a secret, in HTTP Basic or as `client_secret` in the body (RFC 6749 §2.3.1). */
export const clientSecret: ClientAuthentication = {
  name: 'client_secret',
  wireNames: ['client_secret_basic', 'client_secret_post'],
  present,
  prove: (app, { proof }, { now }) => verifySecret(app, proof, now) && app !== undefined,
}

function present({ headers: { authorization }, params }: ClientRequest): Presented | undefined {
  const clientId = optional(params, 'client_id')
  const secret = optional(params, 'client_secret')
  if (authorization === undefined) {
    if (secret === undefined) return undefined
    if (clientId === undefined)
      throw new OAuthError('invalid_client', 'client_id is missing: send it in the body or as HTTP Basic')
    return { clientId, proof: secret }
  }

  // Another method may read another scheme.
  if (!/^basic /i.test(authorization)) return undefined
  const basic = parseBasic(authorization)
  if (!basic) throw clientRefused()
  // RFC 6749 §2.3: not more than one method in a request.
  if (secret !== undefined)
    throw new OAuthError('invalid_request', 'client_secret must not be sent in the body and as HTTP Basic')
  return basic
}

/** Parses HTTP Basic (RFC 7617), with both halves form-encoded as RFC 6749 §2.3.1 requires. */
function parseBasic(authorization: string): Presented | undefined {
  const match = /^basic +([\w+/-]+={0,2})$/i.exec(authorization)
  if (!match?.[1]) return undefined
  const pair = Buffer.from(match[1], 'base64').toString()
  const colon = pair.indexOf(':')
  if (colon < 1) return undefined
  try {
    return { clientId: formDecode(pair.slice(0, colon)), proof: formDecode(pair.slice(colon + 1)) }
  } catch {
    return undefined
  }
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

/** A new client secret: `value` is shown once, `stored` goes into the record. */
export interface NewSecret {
  readonly value: string
  readonly stored: AppSecret
}

export function makeSecret(now: EpochMs): NewSecret {
  return keepSecret(newClientSecret(), now)
}

/** Makes the record of a secret that the host chose. */
export function keepSecret(value: string, now: EpochMs): NewSecret {
  return { value, stored: { hash: sha256(value), createdAt: now, usableUntil: null } }
}

/** Tells whether `secret` is one of the app's usable secrets. Takes the same time for an app that does not exist. */
function verifySecret(app: App | undefined, secret: string, now: EpochMs): boolean {
  const hash = sha256(secret)
  let matched = false
  for (const candidate of app && app.secrets.length > 0 ? app.secrets : NOBODY) {
    const live = candidate.usableUntil === null || now < candidate.usableUntil
    if (sameDigest(hash, candidate.hash) && live) matched = true
  }
  return matched
}

const NOBODY: readonly AppSecret[] = [makeSecret(0).stored]

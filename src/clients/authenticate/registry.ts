import { withTimeout } from '../../base/timeout.ts'
import type { HostClientAuthentication } from '../../options/client-authentication.ts'
import type { Config } from '../../options/config.ts'
import { appForHost } from '../app-for-host.ts'
import type { ClientKeys } from '../client-keys.ts'
import { clientSecret } from './client-secret.ts'
import type { ClientAuthentication, Presented } from './method.ts'
import { none } from './none.ts'
import { createPrivateKeyJwt } from './private-key-jwt.ts'

/** The ways of authmount itself, and those of the host, whose names were checked with its options. */
export function createClientAuthentication(config: Config<never>, keys: ClientKeys): readonly ClientAuthentication[] {
  const { clientAuthentication, hookTimeoutMs, rules } = config
  const ofHost = clientAuthentication.map(method => methodOfHost(method, hookTimeoutMs))
  const methods = [clientSecret, ...ofHost, createPrivateKeyJwt(config, keys), none]
  return rules.authMethods ? methods.filter(({ name }) => rules.authMethods?.includes(name)) : methods
}

function methodOfHost(method: HostClientAuthentication, hookTimeoutMs: number): ClientAuthentication {
  const { name } = method
  return {
    name,
    wireNames: [name],
    present: ({ headers, params }) => readPresented(name, method.present({ headers, params })),
    async prove(app, { proof }) {
      if (!app) return false
      const prove = async () => method.prove(appForHost(app), proof)
      return (await withTimeout(prove, hookTimeoutMs, `prove of the client authentication ${name}`)) === true
    },
  }
}

/** Checks what `present` of a host's method returned. Throws TypeError for anything but two texts, or nothing. */
function readPresented(name: string, presented: unknown): Presented | undefined {
  if (!presented) return undefined
  const { clientId, proof } = presented as Readonly<Record<string, unknown>>
  if (typeof clientId === 'string' && typeof proof === 'string') return { clientId, proof }
  // One that is async in spite of its type may reject, and nobody listens.
  Promise.resolve(presented).catch(() => {})
  throw new TypeError(`present of the client authentication ${name} must return { clientId, proof }, two texts, or undefined`)
}

import type { HostClientAuthentication } from '../../options/client-authentication.ts'
import { appForHost } from '../app-for-host.ts'
import { clientSecret } from './client-secret.ts'
import type { ClientAuthentication } from './method.ts'
import { none } from './none.ts'

/** Combines the built-in methods and those of the host, whose names were checked with its options. */
export function createClientAuthentication(methods: readonly HostClientAuthentication[]): readonly ClientAuthentication[] {
  return [clientSecret, ...methods.map(methodOfHost), none]
}

function methodOfHost({ name, present, prove }: HostClientAuthentication): ClientAuthentication {
  return {
    name,
    wireNames: [name],
    present: ({ headers, params }) => present({ headers, params }),
    async prove(app, { proof }) {
      return app !== undefined && (await prove(appForHost(app), proof)) === true
    },
  }
}

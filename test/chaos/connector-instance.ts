/**
 * One process of a host with a connector: `connector-instance.ts <framework> <store> <namespace> <provider's URL>`. Says when it is
 * ready. Answers `{ advance: seconds }` when its clock has been moved, and `{ call: times }` with what so many callers at once got.
 */
import { ConnectorError } from 'authmount'
import { ANNA, withConnectors } from '../support/connectors.ts'
import { frameworks, startHost } from '../support/host.ts'
import { stores } from '../support/stores.ts'

export interface Outcome {
  /** An access token, or the code of an error. */
  readonly got: readonly string[]
  readonly events: readonly string[]
}

const [framework = '', store = '', namespace = '', issuer = ''] = process.argv.slice(2)
const [mount, connect] = [frameworks[framework], stores[store]]
if (!mount || !connect) throw new Error(`no ${framework} over ${store}`)
const { authmount, clock, events } = await startHost(mount, {
  ...withConnectors({ drive: { clientId: 'the-host', clientSecret: 'secret of the host', issuer, scopes: ['files'] } }),
  connect: (_own, now) => connect(namespace, now),
})

async function call(): Promise<string> {
  try {
    return (await authmount.connectorToken('drive', ANNA)).accessToken
  } catch (error) {
    return error instanceof ConnectorError ? error.code : String(error)
  }
}

process.on('message', async ({ advance, call: times = 0 }: { readonly advance?: number; readonly call?: number }) => {
  if (advance !== undefined) clock.advance(advance)
  const got = await Promise.all(Array.from({ length: times }, call))
  process.send?.({ got, events: events.map(({ type }) => type) } satisfies Outcome)
})
process.stdout.write('ready\n')

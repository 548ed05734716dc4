/**
 * One process of a host: `instance.ts <framework> <store> <namespace> <options as JSON>`. Says where it listens. Users can sign in
 * with it when the options say `signIn`. Answers `{ advance: seconds }` when its clock has been moved.
 */
import { frameworks, startHost } from '../support/host.ts'
import { SIGN_IN } from '../support/sign-in.ts'
import { stores } from '../support/stores.ts'

const [framework = '', store = '', namespace = '', json = '{}'] = process.argv.slice(2)
const [mount, connect] = [frameworks[framework], stores[store]]
if (!mount || !connect) throw new Error(`no ${framework} over ${store}`)
const { signIn, ...options } = JSON.parse(json)
const host = await startHost(mount, { ...(signIn ? SIGN_IN : {}), connect: (_own, now) => connect(namespace, now), ...options })
process.on('message', ({ advance }: { readonly advance: number }) => {
  host.clock.advance(advance)
  process.send?.('moved')
})
process.stdout.write(`${host.url}\n`)

/** One process of a host: `instance.ts <framework> <store> <namespace> <options as JSON>`. Says where it listens. */
import { frameworks, startHost } from '../support/host.ts'
import { stores } from '../support/stores.ts'

const [framework = '', store = '', namespace = '', options = '{}'] = process.argv.slice(2)
const [mount, connect] = [frameworks[framework], stores[store]]
if (!mount || !connect) throw new Error(`no ${framework} over ${store}`)
const host = await startHost(mount, { connect: (_own, now) => connect(namespace, now), ...JSON.parse(options) })
process.stdout.write(`${host.url}\n`)

import { startExpress } from '../../examples/express/app.ts'
import { startFastify } from '../../examples/fastify/app.ts'
import type { HostSettings } from '../../examples/host/authorization.ts'
import { freePort } from '../../examples/host/printed.ts'
import type { OpenStore } from '../../examples/host/store.ts'

/** An example host that listens, and what ends it. */
export interface ExampleHost {
  readonly origin: string
  readonly close: () => void | Promise<void>
}

type Start = (opened: Pick<OpenStore, 'store' | 'name'>, settings?: HostSettings) => Promise<ExampleHost>

/** The example hosts of both frameworks, each on a port of its own. */
export const exampleHosts: Readonly<Record<'express' | 'fastify', Start>> = {
  async express(opened, settings) {
    const { origin, server } = await startExpress(await freePort(), opened, settings)
    const close = () => {
      server.closeAllConnections()
      server.close()
    }
    return { origin, close }
  },
  async fastify(opened, settings) {
    const { origin, server } = await startFastify(await freePort(), opened, settings)
    return { origin, close: () => server.close() }
  },
}

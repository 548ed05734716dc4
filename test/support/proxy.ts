import { connect, createServer, type Socket } from 'node:net'
import { freePort } from '../servers/server.ts'

/** Stands between a client and its server on loopback, and spoils their talk when told to. */
export class SpoilingProxy {
  readonly port: number
  /** How often the client spoke and was answered: its round trips, if it makes one at a time. */
  roundTrips = 0
  /** Milliseconds by which answers are held back. */
  delayMs = 0
  /** The next answer is swallowed, and the connection cut: the server has done what the client never hears of. */
  dropNext = false
  dropped = 0
  #lastSpoke: 'client' | 'server' = 'server'
  readonly #sockets = new Set<Socket>()
  readonly #server

  private constructor(port: number, target: number) {
    this.port = port
    this.#server = createServer(client => this.#join(client, connect(target, '127.0.0.1')))
  }

  static async before(target: number): Promise<SpoilingProxy> {
    const proxy = new SpoilingProxy(await freePort(), target)
    await new Promise<void>(resolve => proxy.#server.listen(proxy.port, '127.0.0.1', resolve))
    return proxy
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #join(client: Socket, server: Socket): void {
    const cut = () => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket.setNoDelay().on('error', cut))
      socket.on('close', () => {
        this.#sockets.delete(socket)
        cut()
      })
    }
    client.on('data', chunk => {
      if (this.#lastSpoke === 'server') this.roundTrips++
      this.#lastSpoke = 'client'
      server.write(chunk)
    })
    server.on('data', chunk => {
      this.#lastSpoke = 'server'
      if (this.dropNext) {
        this.dropNext = false
        this.dropped++
        cut()
      } else if (this.delayMs > 0) setTimeout(() => client.write(chunk), this.delayMs)
      else client.write(chunk)
    })
  }
}

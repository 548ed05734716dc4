import { chown, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { Daemon, freePort, installed, run, type ServerKind, temporaryFolder } from './server.ts'

/** Where Debian and Ubuntu keep it, off the PATH: a folder per version. */
const DEBIAN = '/usr/lib/postgresql'

export const postgresServer: ServerKind = {
  hint: 'install PostgreSQL (apt-get install postgresql, brew install postgresql)',
  async start() {
    const bin = await binFolder()
    if (bin === undefined) return undefined
    const user = await unprivileged()
    const folder = await temporaryFolder('postgres')
    if (user) await chown(folder.path, user.uid, user.gid)
    const options = { cwd: folder.path, ...user }
    const data = join(folder.path, 'data')
    let daemon: Daemon | undefined
    const stop = async () => {
      // "Fast": it ends the connections that are left. SIGTERM would wait for them.
      await daemon?.kill('SIGINT')
      await folder.remove()
    }
    const port = await freePort()
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    const settings = { fsync: 'off', max_connections: '400', listen_addresses: '127.0.0.1', unix_socket_directories: '' }
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    try {
      await run(
        join(bin, 'initdb'),
        ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
        options,
      )
      daemon = new Daemon(join(bin, 'postgres'), ['-D', data, '-p', `${port}`, ...args], options)
      await daemon.listening(port)
      await ready(url)
    } catch (error) {
      await stop()
      throw error
    }
    return { env: { POSTGRES_URL: url }, stop }
  },
}

/** The folder of `postgres` and `initdb`; '' where they are on the PATH. */
async function binFolder(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch(() => [])
  const newestFirst = versions.toSorted((a, b) => Number(b) - Number(a)).map(version => join(DEBIAN, version, 'bin'))
  for (const bin of ['', ...newestFirst]) if (await installed(join(bin, 'initdb'), '--version')) return bin
  return undefined
}

/** PostgreSQL refuses to be root: who it is instead. Undefined where we are not root either. */
async function unprivileged(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const name = (await installed('id', 'postgres')) ? 'postgres' : 'nobody'
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async which => Number((await run('id', [which, name])).stdout)))
  if (!uid || !gid) throw new Error(`postgres cannot be started as root, and there is no user ${name}`)
  return { uid, gid }
}

/** It listens before it answers. */
async function ready(url: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; ; ) {
    const client = new Client(url)
    try {
      await client.connect()
      return await client.end()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

import { access, mkdir, rename, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Daemon, freePort, installed, run, type Server, type ServerKind, temporaryFolder } from './server.ts'

/** mongod where it is installed; else one in Java, which speaks the same protocol and keeps everything in memory. */
export const mongoServer: ServerKind = {
  hint: 'install MongoDB 4.4 or later (mongodb.com/docs/manual/installation), or Java 17 and Maven',
  start: async () => (await startMongod()) ?? (await startJavaServer()),
}

async function startMongod(): Promise<Server | undefined> {
  if (!(await installed('mongod', '--version'))) return undefined
  const [port, folder] = [await freePort(), await temporaryFolder('mongo')]
  const args = ['--port', `${port}`, '--bind_ip', '127.0.0.1', '--dbpath', folder.path, '--nounixsocket']
  const daemon = await new Daemon('mongod', args).listening(port)
  return {
    env: { MONGO_URL: `mongodb://127.0.0.1:${port}` },
    async stop() {
      await daemon.kill()
      await folder.remove()
    },
  }
}

const SOURCES = fileURLToPath(new URL('mongo/', import.meta.url))
const JARS = fileURLToPath(new URL('../../node_modules/.cache/authmount-mongo/mongo-java-server-1.47.0', import.meta.url))

async function startJavaServer(): Promise<Server | undefined> {
  if (!(await installed('java', '-version')) || !(await fetched())) return undefined
  const port = await freePort()
  const quickly = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx512m']
  const daemon = await new Daemon('java', [...quickly, '-cp', `${JARS}/*`, `${SOURCES}Server.java`, `${port}`]).listening(port)
  return { env: { MONGO_URL: `mongodb://127.0.0.1:${port}` }, stop: () => daemon.kill() }
}

/** Whether its libraries are here, or could be had from Maven Central. */
async function fetched(): Promise<boolean> {
  if (await exists(JARS)) return true
  const own = `${JARS}.${process.pid}`
  await mkdir(own, { recursive: true })
  const goal = ['-B', '-q', '-f', `${SOURCES}pom.xml`, 'dependency:copy-dependencies', `-DoutputDirectory=${own}`]
  // All at once, so that a run that is stopped leaves nothing half done; another run may have been quicker.
  await run('mvn', goal)
    .then(() => rename(own, JARS))
    .catch(() => {})
  await rm(own, { recursive: true, force: true })
  return exists(JARS)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

import { type Db, type Document, MongoClient, type MongoClientOptions } from 'mongodb'
import type { Test } from 'tap'
import { urlOf } from './places.ts'
import { newNamespace } from './stores.ts'

/** A database of the server that `MONGO_URL` names, on a connection of its own, until the test ends. */
export async function mongoDb(t: Test, namespace = newNamespace(), options: MongoClientOptions = {}): Promise<Db> {
  const client = await new MongoClient(urlOf('mongo') ?? '', options).connect()
  t.teardown(() => client.close())
  return client.db(namespace)
}

/** A command that the driver sent: what it was, to which collection, and all of it. */
export interface SentCommand {
  readonly name: string
  readonly collection: string
  readonly command: Document
}

/** Like {@link mongoDb}, with every command that it sends from then on. `take` returns them, and forgets them. */
export async function watchedMongoDb(
  t: Test,
  options: MongoClientOptions = {},
): Promise<{ readonly db: Db; readonly take: () => readonly SentCommand[] }> {
  const db = await mongoDb(t, newNamespace(), { ...options, monitorCommands: true })
  let sent: SentCommand[] = []
  db.client.on('commandStarted', ({ command, commandName: name, databaseName }) => {
    if (databaseName === db.databaseName) sent.push({ name, collection: String(command[name]), command })
  })
  const take = () => {
    const taken = sent
    sent = []
    return taken
  }
  return { db, take }
}

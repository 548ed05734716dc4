/// <reference types="mongoose8" />
/** Compiled, not run: the MongoDB store takes the `Db` of each driver that is in use. */
import { mongoStore } from 'authmount/stores/mongo'
import type { Db as Db7 } from 'mongodb'
import type { Db as Db6 } from 'mongodb6'
import type { Connection } from 'mongoose'

export const ofDriver7 = (db: Db7) => mongoStore(db, { prefix: 'oauth_' })
export const ofDriver6 = (db: Db6) => mongoStore(db)
export const ofMongoose8 = ({ db }: Connection) => db && mongoStore(db)
export const ofItsClient = (connection: Connection) => mongoStore(connection.getClient().db())
// @ts-expect-error: a client is not a database
export const ofClient = (connection: Connection) => mongoStore(connection.getClient())

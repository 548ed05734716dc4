/**
 * Runs an example host: `npm start`, or `npm start -- fastify`. `PORT` chooses the port (3000);
 * `REDIS_URL`, `MONGO_URL` or `POSTGRES_URL` a database instead of memory.
 */
import { startContacts } from './connectors/contacts.ts'
import { startExpress } from './express/app.ts'
import { startFastify } from './fastify/app.ts'
import { freePort } from './host/printed.ts'
import { openStore } from './host/store.ts'

const port = Number(process.env.PORT ?? 3000)
const framework = process.argv[2] ?? 'express'
if (!Number.isInteger(port)) throw new Error('PORT must be a number')
process.on('uncaughtException', error => {
  const busy = 'code' in error && error.code === 'EADDRINUSE'
  console.error(busy ? `Port ${port} is taken: choose another, as in PORT=3001 npm start` : error)
  process.exit(1)
})
const start = { express: startExpress, fastify: startFastify }[framework]
if (start) {
  const store = await openStore()
  // The outside provider comes first, because the host has to know its address.
  const { provider } = await startContacts(await freePort(), `http://localhost:${port}/connectors/oauth/callback`)
  await start(port, store, { contacts: provider })
} else {
  console.error(`There is an example for express and one for fastify, none for ${framework}.`)
  process.exitCode = 1
}

/**
 * Runs an example host: `npm start`, or `npm start -- fastify`. `PORT` chooses the port (3000);
 * `REDIS_URL`, `MONGO_URL` or `POSTGRES_URL` a database instead of memory.
 */
import { startExpress } from './express/app.ts'
import { startFastify } from './fastify/app.ts'
import { openStore } from './host/store.ts'

const port = Number(process.env.PORT ?? 3000)
const framework = process.argv[2] ?? 'express'
if (!Number.isInteger(port)) throw new Error('PORT must be a number')
process.on('uncaughtException', error => {
  const busy = 'code' in error && error.code === 'EADDRINUSE'
  console.error(busy ? `Port ${port} is taken: choose another, as in PORT=3001 npm start` : error)
  process.exit(1)
})
if (framework === 'express') await startExpress(port, await openStore())
else if (framework === 'fastify') await startFastify(port, await openStore())
else {
  console.error(`There is an example for express and one for fastify, none for ${framework}.`)
  process.exitCode = 1
}

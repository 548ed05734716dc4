/** A small host with the console, which test/package/bundles.ts bundles into one file. It prints its port. */
import { createAuthmount } from 'authmount'
import { authmountConsole, authmountRouter } from 'authmount/express'
import { memoryStore } from 'authmount/stores/memory'
import express from 'express'

const authmount = createAuthmount({
  issuer: 'http://localhost:3000',
  store: memoryStore(),
  scopes: { read: { description: 'Read your records' } },
  authenticate: () => null,
})
const app = express()
app.use(authmountRouter(authmount))
app.use('/admin/oauth', authmountConsole(authmount))
authmount
  .registerApp(
    { name: 'Bundled', allowedScopes: ['read'], allowedGrantTypes: ['client_credentials'] },
    { orgId: 'o', userId: 'u' },
  )
  .then(({ clientId, clientSecret }) => {
    const server = app.listen(0, '127.0.0.1', () => {
      console.log(JSON.stringify({ address: server.address(), clientId, clientSecret }))
    })
  })

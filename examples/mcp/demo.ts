/**
 * An agent with the official SDK connects to the MCP server of the example host, on both frameworks: it finds its way by the
 * URL, and asks the user for what it needs when it needs it. Prints every step.
 */
import { startExpress } from '../express/app.ts'
import { startFastify } from '../fastify/app.ts'
import { browse, freePort, heading, printed } from '../host/printed.ts'
import { openStore } from '../host/store.ts'
import { Agent, Connection } from './agent.ts'

const express = await startExpress(await freePort(), await openStore({}))
await demonstrate('Express', express)
express.server.closeAllConnections()
express.server.close()

const fastify = await startFastify(await freePort(), await openStore({}))
await demonstrate('Fastify', fastify)
await fastify.server.close()

async function demonstrate(framework: string, { origin }: { readonly origin: string }): Promise<void> {
  const agent = new Agent(`${origin}/mcp`, new Connection('http://127.0.0.1/callback'), url => askAnna(url, origin))

  heading(`${framework}: the agent calls a tool, and learns on the way whom to ask and for what; it registers itself`)
  console.log(`\n  list_records: ${await agent.call('list_records')}`)

  heading(`${framework}: another tool needs more, so she is asked again`)
  console.log(`\n  add_record: ${await agent.call('add_record', { text: 'From the agent' })}`)

  heading(`${framework}: what she had allowed before is still allowed`)
  const listed = await agent.call('list_records')
  console.log(`\n  list_records: ${listed}`)
  if (!listed.includes('From the agent')) throw new Error('the record is not there')
  console.log(`\n✔ ${framework}: complete\n`)
}

/** Anna's browser: she signs in at the host, and allows what the agent asks for. */
async function askAnna(url: URL, origin: string): Promise<URL> {
  const toLogin = await browse(url)
  const returnTo = toLogin.searchParams.get('returnTo') ?? ''
  const signedIn = await printed(new URL('/login', origin), {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ name: 'anna', password: 'anna-demo', returnTo }),
  })
  const headers = { cookie: signedIn.headers.get('set-cookie')?.split(';')[0] ?? '' }
  const screen = await browse(new URL(returnTo, origin), { headers })
  return browse(new URL('/oauth/authorize', origin), {
    method: 'POST',
    headers,
    body: new URLSearchParams({ consent_id: screen.searchParams.get('consent_id') ?? '', consent: 'granted' }),
  })
}

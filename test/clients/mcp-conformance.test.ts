/** The conformance suite of the MCP project, as it is published, runs its scenarios for authorization servers on the examples. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../../examples/host/printed.ts'
import { exampleHosts } from '../support/example-hosts.ts'
import { newNamespace, stores } from '../support/stores.ts'
import { UserAgent } from '../support/user-agent.ts'

const SUITE = join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/conformance/dist/index.js')

for (const [framework, start] of Object.entries(exampleHosts)) {
  for (const [name, connect] of Object.entries(stores)) {
    t.test(`${framework}, ${name}: the MCP example passes every scenario for authorization servers`, async t => {
      t.capture(console, 'log')
      const { store, close } = await connect(newNamespace())
      const host = await start({ store, name })
      t.teardown(async () => {
        await host.close()
        await close()
      })
      const { origin } = host
      const port = await freePort()
      const registered = await fetch(`${origin}/oauth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/callback'], token_endpoint_auth_method: 'none' }),
      })
      const { client_id: clientId } = (await registered.json()) as { client_id: string }

      const results = t.testdir()
      const options = { url: origin, 'client-id': clientId, resource: `${origin}/mcp`, port, 'output-dir': results }
      const args = Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)])
      const preload = ['--import', join(import.meta.dirname, 'fs-of-node-22.mjs')]
      const suite = spawn(process.execPath, [...preload, SUITE, 'authorization', ...args])
      t.teardown(() => suite.kill())
      const ended = once(suite, 'close')
      let output = ''
      suite.stderr.on('data', chunk => {
        output += chunk
      })
      let url: string | undefined
      for await (const chunk of suite.stdout) {
        output += chunk
        if (url !== undefined) continue
        url = authorizationUrl(output)
        if (url !== undefined) await agree(origin, url)
      }
      t.strictSame(await ended, [0, null], output)
      t.strictSame(await checks(results), [
        'authorization-code-grant SUCCESS',
        'authorization-server-metadata SUCCESS',
        'authorization-server-metadata-cimd SUCCESS',
      ])
    })
  }
}

/** Where the suite sends its user, once it listens for their return. */
function authorizationUrl(output: string): string | undefined {
  return /(http\S+\/oauth\/authorize\?\S+)[\s\S]*Callback server started/.exec(output)?.[1]
}

/** Anna signs in at the example host, and lets the suite act for her. */
async function agree(origin: string, url: string): Promise<void> {
  const browser = new UserAgent(origin)
  const body = new URLSearchParams({ name: 'anna', password: 'anna-demo' })
  await browser.request(`${origin}/login`, { method: 'POST', body })
  await browser.open(url)
}

/** What the suite found: a folder for each scenario, in which a file has its checks. */
async function checks(folder: string): Promise<readonly string[]> {
  const found = await Promise.all(
    (await readdir(folder)).map(async scenario => {
      const text = await readFile(join(folder, scenario, 'checks.json'), 'utf8')
      return JSON.parse(text) as readonly { readonly id: string; readonly status: string }[]
    }),
  )
  return found
    .flat()
    .map(({ id, status }) => `${id} ${status}`)
    .toSorted()
}

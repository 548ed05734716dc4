/** The command-line tool of the examples, with a host of the examples: as its user has it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { exampleHosts } from '../support/example-hosts.ts'
import { connectMemory, newNamespace } from '../support/stores.ts'
import { UserAgent } from '../support/user-agent.ts'

const TOOL = join(import.meta.dirname, '../../examples/cli/records.ts')

for (const [framework, start] of Object.entries(exampleHosts)) {
  t.test(`${framework}: a tool signs its user in by a code and by a browser, calls the API, and signs out`, async t => {
    t.capture(console, 'log')
    const { store } = await connectMemory(newNamespace())
    const { close, origin } = await start({ store, name: 'memory' })
    t.teardown(close)
    const browser = new UserAgent(origin)
    await browser.request(`${origin}/login`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'anna', password: 'anna-demo' }),
    })
    const env = { RECORDS_URL: origin, RECORDS_HOME: join(t.testdir(), 'home') }
    const session = join(env.RECORDS_HOME, 'session.json')

    t.match((await run(t, env, ['list'])).errors, 'run login first')

    const byCode = await run(t, env, ['login'], async output => {
      const address = /or open (\S+)/.exec(output)?.[1]
      if (address === undefined) return false
      const page = await (await browser.request(address, { headers: { accept: 'text/html' } })).text()
      const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page)?.[1] ?? ''
      const fields = { form_id: field('form_id'), user_code: field('user_code'), consent: 'granted' }
      await browser.request(`${origin}/oauth/device`, { method: 'POST', body: new URLSearchParams(fields) })
      return true
    })
    t.match(byCode.output, 'You are signed in')
    t.equal((await stat(session)).mode & 0o777, 0o600)
    t.match((await run(t, env, ['add', 'from', 'the', 'terminal'])).output, 'Added')
    t.match((await run(t, env, ['list'])).output, 'from the terminal')
    t.match((await run(t, env, ['logout'])).output, 'You are signed out')
    await t.rejects(stat(session))
    const { items } = await store.grants.listTokens({ userId: 'anna', limit: 10 })
    t.strictSame(items, [])

    const byBrowser = await run(t, env, ['login', '--browser'], async output => {
      const address = /Open (\S+)/.exec(output)?.[1]
      if (address === undefined) return false
      await browser.open(address)
      return true
    })
    t.match(byBrowser.output, 'You are signed in')
    t.match((await run(t, env, ['list'])).output, 'from the terminal')
  })
}

/** Runs the tool; `act` sees what it prints until it has done its part. */
async function run(
  t: Test,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  act: (output: string) => Promise<boolean> = async () => true,
): Promise<{ readonly output: string; readonly errors: string }> {
  const tool = spawn(process.execPath, ['--import', 'tsx', TOOL, ...args], { env: { ...process.env, ...env } })
  t.teardown(() => tool.kill())
  const ended = once(tool, 'close')
  let [output, errors, acted] = ['', '', false]
  tool.stderr.on('data', chunk => {
    errors += chunk
  })
  for await (const chunk of tool.stdout) {
    output += chunk
    if (!acted) acted = await act(output)
  }
  await ended
  return { output, errors }
}

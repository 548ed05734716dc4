/** Four processes, two of each framework, over one database: nothing is used twice, and nobody innocent is punished. */
import t from 'tap'
import { REDIRECT_URI, type TestApp, VERIFIER } from '../support/client.ts'
import { frameworks, startHost } from '../support/host.ts'
import { newNamespace, sharedStores } from '../support/stores.ts'
import { eachOf, requestToken, startInstances } from './instances.ts'

const [mount] = Object.values(frameworks)
if (!mount) throw new Error('no framework')

for (const [index, [store, connect]] of Object.entries(sharedStores).entries()) {
  /** The first store at length; `RACES=200` all of them. */
  const many = Number(process.env.RACES ?? (index === 0 ? 200 : 50))
  for (const grace of ['with', 'without'] as const) {
    t.test(`${store}: four processes, ${grace} a grace for rotated tokens`, async t => {
      const namespace = newNamespace()
      // Four processes keep a small machine busy, so the store gets more time than usual: no answer may be a 503 here.
      const options = { rotationGraceSeconds: grace === 'with' ? 30 : 0, storeTimeoutMs: 20_000 }
      const host = await startHost(mount, { connect: (_own, now) => connect(namespace, now), ...options })
      const { stop, urls } = await startInstances(store, namespace, options)
      t.teardown(async () => {
        await stop()
        await host.close()
      })
      const prepare = async <T>(count: number, make: () => Promise<T>) => {
        const made: T[] = []
        await eachOf([...Array(count).keys()], 10, async () => void made.push(await make()))
        return made
      }
      const race = (app: TestApp, count: number, fields: Readonly<Record<string, string>>) =>
        Promise.all(Array.from({ length: count }, (_, index) => requestToken(urls[index % urls.length] ?? '', app, fields)))

      if (grace === 'with') {
        await t.test(
          `${many} codes, each redeemed 20 times at once: no code succeeds twice, and nothing of it lives`,
          async t => {
            const app = await host.confidentialApp()
            const found = { twice: 0, alive: 0, otherwise: 0 }
            await eachOf(await prepare(many, () => host.approve(app)), 4, async code => {
              const fields = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
              const answers = await race(app, 20, fields)
              const issued = answers.filter(({ status }) => status === 200)
              if (issued.length > 1) found.twice++
              for (const { body } of issued) if (await host.isActive(app, body.access_token)) found.alive++
              const refused = answers.filter(({ body, status }) => status === 400 && body.error === 'invalid_grant')
              found.otherwise += answers.length - issued.length - refused.length
            })
            t.strictSame(found, { twice: 0, alive: 0, otherwise: 0 })
          },
        )
      }

      const rounds = grace === 'with' ? many : 50
      await t.test(`${rounds} refresh tokens, each used 10 times at once, ${grace} a grace`, async t => {
        const app = await host.confidentialApp()
        const families = await prepare(rounds, () => host.tokens(app))
        let [lines, successes] = [0, 0]
        await eachOf(families, 4, async ({ access, refresh }) => {
          const answers = await race(app, 10, { grant_type: 'refresh_token', refresh_token: refresh })
          const good = answers.filter(({ status }) => status === 200)
          const successors = new Set(good.map(({ body }) => body.refresh_token))
          successes += good.length
          if (grace === 'with') {
            const [successor] = successors
            const alive = (await host.isActive(app, successor)) && (await host.isActive(app, access))
            if (successors.size === 1 && alive) lines++
          } else {
            // RFC 9700 §4.14.2: reuse ends the family; who was first has nothing left either.
            const [successor] = successors
            if (successors.size === 1 && !(await host.isActive(app, successor)) && !(await host.isActive(app, access))) lines++
          }
        })
        t.equal(lines, rounds, 'every token has one successor')
        t.equal(successes, grace === 'with' ? rounds * 10 : rounds)
        const { total } = await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })
        // Of each family that lives: the first access token, the second, and one refresh token.
        if (grace === 'with') t.equal(total, rounds * 3)
        else t.equal(total, 0)
      })
    })
  }
}

/** Four processes issue tokens while their keys rotate: whoever checks them, with a set kept as long as it may be, never fails. */
import { setTimeout } from 'node:timers/promises'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import t from 'tap'
import { frameworks, startHost } from '../support/host.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'
import { newNamespace, sharedStores } from '../support/stores.ts'
import { requestToken, startInstances } from './instances.ts'

const [mount] = Object.values(frameworks)
if (!mount) throw new Error('no framework')

// What a store does for it is one save of the ring, which the contract tests on each.
for (const [store, connect] of Object.entries(sharedStores).slice(0, 1)) {
  t.test(`${store}: four processes, from the new key's publication to the old one's retirement`, async t => {
    const namespace = newNamespace()
    const options = { accessTokenFormat: 'jwt' as const, keyRotation: { publishSeconds: 1200 } }
    const host = await startHost(mount, { ...SIGN_IN, connect: (_own, now) => connect(namespace, now), ...options })
    const { advance, stop, urls } = await startInstances(store, namespace, { signIn: true, ...options })
    t.teardown(async () => {
      await stop()
      await host.close()
    })
    const { now } = host.clock
    const anyUrl = () => urls[Math.floor(Math.random() * urls.length)] ?? ''
    const app = await signInApp(host)
    const keys = async () => {
      const response = await fetch(`${anyUrl()}/.well-known/jwks.json`)
      const maxAge = Number(/max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1])
      return { set: (await response.json()) as JSONWebKeySet, until: now() + maxAge * 1000 }
    }
    const kept: string[] = []
    const kids = new Set<string | undefined>()
    const failures: string[] = []
    let [verified, running] = [0, true]

    /** A service that keeps the set as long as it may, and checks new tokens and old ones. */
    async function check(tokens: { readonly refresh: string }): Promise<void> {
      let cache = await keys()
      let { refresh } = tokens
      while (running) {
        const answer = await requestToken(anyUrl(), app, { grant_type: 'refresh_token', refresh_token: refresh })
        if (answer.status !== 200 || !answer.body.id_token) {
          failures.push(`a refresh was answered ${JSON.stringify(answer)}`)
          return
        }
        refresh = String(answer.body.refresh_token)
        const issued = [String(answer.body.access_token), String(answer.body.id_token)]
        kept.push(...issued)
        for (const token of [
          ...issued,
          ...Array.from({ length: 6 }, () => kept[Math.floor(Math.random() * kept.length)] ?? ''),
        ]) {
          const { exp = 0, iat = 0 } = decodeJwt(token)
          if (exp * 1000 <= now()) continue
          if (now() >= cache.until) cache = await keys()
          const { kid } = decodeProtectedHeader(token)
          kids.add(kid)
          await jwtVerify(token, createLocalJWKSet(cache.set), { currentDate: new Date(iat * 1000) }).then(
            () => verified++,
            error => failures.push(`${kid}: ${error.message}`),
          )
        }
      }
    }
    const signedIn = await Promise.all(Array.from({ length: 4 }, () => host.tokens(app, { scope: 'openid read:records' })))
    const checking = Promise.all(signedIn.map(check))
    const go = async (steps: number, seconds: number) => {
      for (let step = 0; step < steps; step++) {
        host.clock.advance(seconds)
        await advance(seconds)
        await setTimeout(50)
      }
    }
    const before = (await keys()).set.keys.map(({ kid }) => kid)
    await host.authmount.rotateKeys()
    await go(30, 60)
    t.equal(kids.size, 2, 'both keys have signed')
    await go(75, 1200)
    running = false
    await checking
    const after = (await keys()).set.keys.map(({ kid }) => kid)
    t.equal(before.length, 1)
    t.equal(after.length, 1)
    t.notSame(after, before, 'the old key is gone')
    t.strictSame(failures.slice(0, 5), [], `${failures.length} failures`)
    t.ok(verified > 500, `${verified} verifications`)
    t.comment(`${verified} verifications, ${failures.length} failures`)
  })
}

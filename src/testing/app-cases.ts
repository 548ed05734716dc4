import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { assertOneWon, defineCase, type StoreCase, times } from './case.ts'
import { newApp, newAppId, newId } from './records.ts'

export const appCases: readonly StoreCase[] = [
  defineCase('apps: what is saved is what is read, and an id never saved is absent', async ({ apps }) => {
    const profile = { homepageUrl: 'https://app.example', nested: { list: [1, null, 'x', [], {}], 'a.b': { $c: 2 ** 53 - 1 } } }
    const app = newApp({ name: 'Zoë \0 𝒳 "\\\'%$1', description: '', scopes: [], profile })
    assert.equal(await apps.get(app.id), undefined)
    assert.equal(await apps.save(app), true)
    assert.deepEqual(await apps.get(app.id), app)
    for (const id of ['', '\0', 'not an id', 'x'.repeat(65_536)]) assert.equal(await apps.get(id), undefined)
  }),

  defineCase('apps: keys, a client_id of its own and what a metadata document sets are kept', async ({ apps, clock }) => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: newId(), 'x5t#S256': newId(), key_ops: ['verify'] }
    const made = [
      newApp({ keys: { jwks: { keys: [jwk] } }, authMethod: 'private_key_jwt', secrets: [] }),
      newApp({ keys: { jwksUri: 'https://app.example/keys' }, clientId: 'https://app.example/client', origin: 'metadata' }),
      newApp({ freshUntil: clock.now() - 1, authMethod: 'none', origin: 'registered', orgId: '' }),
    ]
    for (const app of made) {
      await apps.save(app)
      assert.deepEqual(await apps.get(app.id), app)
    }
  }),

  defineCase('apps: a write needs the version before it', async ({ apps }) => {
    const app = newApp()
    assert.equal(await apps.save({ ...app, version: 2 }), false, 'version 2 of an app that does not exist')
    assert.equal(await apps.get(app.id), undefined)
    await apps.save(app)
    assert.equal(await apps.save({ ...app, name: 'skipped', version: 3 }), false, 'version 3 after version 1')
    assert.equal(await apps.save({ ...app, name: 'again', version: 1 }), false, 'another version 1')
    assert.deepEqual(await apps.get(app.id), app)
    assert.equal(await apps.save({ ...app, name: 'next', version: 2 }), true)
    assert.equal((await apps.get(app.id))?.name, 'next')
    assert.equal(await apps.save(app), false, 'version 1 once more, after version 2')
  }),

  defineCase('apps: the same write sent twice succeeds twice', async ({ apps }) => {
    const app = newApp()
    assert.deepEqual([await apps.save(app), await apps.save(app)], [true, true])
    const next = { ...app, status: 'suspended' as const, version: 2 }
    assert.deepEqual([await apps.save(next), await apps.save(next)], [true, true])
  }),

  defineCase('apps: an id that is not 24 lower-case hex digits is refused', async ({ apps }) => {
    const id = newAppId().slice(0, 23)
    const orgId = newId()
    for (const wrong of ['', id, `${id}aa`, `${id}g`, `${id}A`, `${id} `, `${id}a\n`, `\n${id}a`]) {
      const save = apps.save(newApp({ id: wrong, orgId }))
      await assert.rejects(save, `save accepted the id ${JSON.stringify(wrong)}: nothing could ever reach that record`)
      assert.equal(await apps.get(wrong), undefined)
    }
    assert.equal((await apps.list({ orgId, offset: 0, limit: 0 })).total, 0)
  }),

  defineCase('apps: of many concurrent creators of one app, and writers of one version, one succeeds', async ({ apps, race }) => {
    for (const _ of times(3)) {
      const app = newApp()
      for (const version of [1, 2]) {
        const answers = await race(({ apps }, index) => apps.save({ ...app, name: `writer ${index}`, version }))
        assertOneWon(answers, `\`apps.save\` of version ${version} said true`)
        assert.equal(
          (await apps.get(app.id))?.name,
          `writer ${answers.indexOf(true)}`,
          'the stored record is not that of the call that won',
        )
      }
    }
  }),

  defineCase(
    'apps: what has been written is what anyone reads from then on, however many are reading',
    async ({ apps, stores }) => {
      const app = newApp()
      await apps.save(app)
      let busy = true
      const reading = stores.map(async ({ apps }) => {
        for (; busy; await setImmediate()) await apps.get(app.id)
      })
      try {
        for (let version = 2; version <= 20; version++) {
          await stores[version % stores.length]?.apps.save({ ...app, version })
          const read = await Promise.all(stores.map(({ apps }) => apps.get(app.id)))
          assert.deepEqual(
            read.map(found => found?.version),
            stores.map(() => version),
            'a read that began after a write had ended returned an older version: nothing may be cached',
          )
        }
      } finally {
        busy = false
        await Promise.all(reading)
      }
    },
  ),

  defineCase(
    'apps: an expired one is absent, from its very instant, and the next begins with version 1',
    async ({ apps, clock }) => {
      const app = newApp({ expiresAt: clock.now() + 600_000 })
      const { orgId } = app
      const listed = async () => {
        const { items, total } = await apps.list({ orgId, offset: 0, limit: 10 })
        return [items.length, total, (await apps.list({ orgId, offset: 0, limit: 10, search: 'contract' })).total]
      }
      await apps.save(app)
      clock.moveTo(clock.now() + 599_999)
      assert.deepEqual(await apps.get(app.id), app, 'a millisecond before')
      assert.deepEqual(await listed(), [1, 1, 1], 'a millisecond before')
      assert.equal(await apps.save({ ...app, name: 'other' }), false, 'a millisecond before')
      clock.moveTo(clock.now() + 1)
      assert.equal(await apps.get(app.id), undefined, 'at the instant')
      assert.deepEqual(await listed(), [0, 0, 0], 'at the instant')
      assert.equal(await apps.save({ ...app, version: 2 }), false, 'an expired record counts as version 0')
      const next = newApp({ id: app.id, orgId, name: 'Contract again' })
      assert.equal(await apps.save(next), true, 'an expired record counts as version 0')
      assert.deepEqual([await apps.get(app.id), await listed()], [next, [1, 1, 1]])
    },
  ),

  defineCase('apps: the last version says when an app expires, if at all', async ({ apps, clock }) => {
    const begun = clock.now()
    const app = newApp({ expiresAt: begun + 60_000 })
    const { expiresAt: _, ...permanent } = { ...app, version: 3 }
    await apps.save(app)
    await apps.save({ ...app, expiresAt: begun + 600_000, version: 2 })
    clock.moveTo(begun + 60_000)
    assert.equal((await apps.get(app.id))?.version, 2, 'prolonged')
    await apps.save(permanent)
    clock.moveTo(begun + 600_000)
    assert.deepEqual(await apps.get(app.id), permanent, 'made permanent')
    await apps.save({ ...permanent, expiresAt: begun + 700_000, version: 4 })
    clock.moveTo(begun + 700_000)
    assert.equal(await apps.get(app.id), undefined, 'made to expire')
  }),

  defineCase('apps: a secret that is no longer usable stays in the record', async ({ apps, clock }) => {
    const app = newApp({ secrets: [{ hash: newId(), createdAt: 1, usableUntil: clock.now() }] })
    await apps.save(app)
    clock.moveTo(clock.now() + 600_000)
    assert.deepEqual(await apps.get(app.id), app, 'usableUntil is for whoever reads the record: the store keeps it')
  }),
]

import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { defineCase, type StoreCase } from './case.ts'
import { newApp, newCode, newConsent, newCredential, newGrant, newId, newToken, refOf } from './records.ts'

export const recordCases: readonly StoreCase[] = [
  defineCase('records: changing what was given or received never changes the store', async kit => {
    const { apps, consents, credentials, grants, keys, oneTime } = kit
    const [app, consent, credential] = [newApp({ profile: { nested: { list: [{}] } } }), newConsent(), newCredential()]
    const [grant, code, claimed] = [newGrant({ context: { nested: { list: [{}] } } }), newCode(), newCode()]
    const [access, refresh, added, next] = [newToken('access'), newToken('refresh'), newToken('access'), newToken('refresh')]
    const ring = { sealed: newId(), version: ((await keys.get())?.version ?? 0) + 1, extra: { list: [1] } }
    const all = { app, consent, credential, grant, code, claimed, access, refresh, added, next, ring }
    const given = structuredClone(all)
    const owner = { ...consent.owner }
    await apps.save(given.app)
    await consents.save(given.consent)
    await credentials.save(given.credential)
    await keys.save(given.ring)
    await oneTime.put(given.code)
    await oneTime.claim(given.claimed, 'attempt')
    await grants.create(given.grant, [given.access, given.refresh])
    await grants.add({ grant, token: refresh }, [given.added])
    await grants.rotate({ grant, token: refresh }, [given.next], 'replay')
    const read = async () => [
      await apps.get(app.id),
      await apps.list({ orgId: app.orgId, offset: 0, limit: 9 }),
      await consents.get(owner, consent.appId),
      await consents.list(owner, { limit: 9 }),
      await credentials.get(credential.connectorId, credential.ownerId),
      await keys.get(),
      await oneTime.peek('code', code.id),
      await oneTime.consume('code', code.id, 'attempt'),
      await oneTime.peek('code', claimed.id),
      ...(await Promise.all([access, refresh, added, next].map(token => grants.find(refOf(grant, token))))),
      await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 9 }),
    ]
    const before = structuredClone(await read())
    vandalize(given)
    assert.deepEqual(await read(), before, 'changing a record after it was given changed the store')
    vandalize(await read())
    assert.deepEqual(await read(), before, 'changing a record that was read changed the store')
  }),

  defineCase('records: what was prolonged outlives its first expiry by the database’s own clock too', async kit => {
    const { apps, consents, grants, oneTime } = kit
    // Long enough for the writes that prolong it, short enough to wait for.
    const expiresAt = kit.clock.now() + 2000
    const later = expiresAt + 600_000
    const [app, consent, code, claimed] = [
      newApp({ expiresAt }),
      newConsent({ expiresAt }),
      newCode({ expiresAt }),
      newCode({ expiresAt }),
    ]
    const { expiresAt: _a, ...permanentApp } = { ...app, version: 2 }
    const { expiresAt: _c, ...permanentConsent } = { ...consent, version: 2 }
    const [soon, steady] = [newToken('refresh', { expiresAt }), newToken('refresh', { expiresAt })]
    const [next, added] = [newToken('refresh', { expiresAt: later }), newToken('access', { expiresAt: later })]
    const [rotated, extended] = [newGrant(), newGrant()]
    await apps.save(app)
    await apps.save(permanentApp)
    await consents.save(consent)
    await consents.save(permanentConsent)
    await oneTime.put(code)
    await oneTime.put({ ...code, expiresAt: later })
    await oneTime.claim(claimed, 'attempt')
    await oneTime.put({ ...claimed, expiresAt: later })
    await grants.create(rotated, [soon])
    await grants.rotate({ grant: rotated, token: soon }, [next], 'replay')
    await grants.create(extended, [steady])
    await grants.add({ grant: extended, token: steady }, [added])
    await setTimeout(Math.max(0, expiresAt - Date.now()) + 100)
    kit.clock.moveTo(Math.max(Date.now(), expiresAt))
    assert.deepEqual(await apps.get(app.id), permanentApp)
    assert.equal((await apps.list({ orgId: app.orgId, offset: 0, limit: 1 })).total, 1)
    assert.deepEqual(await consents.get(consent.owner, consent.appId), permanentConsent)
    assert.equal((await consents.list(consent.owner, { limit: 1 })).items.length, 1)
    for (const { id } of [code, claimed]) assert.equal((await oneTime.peek('code', id))?.expiresAt, later)
    assert.deepEqual((await grants.find(refOf(rotated, next)))?.token, next)
    assert.deepEqual((await grants.find(refOf(extended, added)))?.token, added)
    for (const { userId } of [rotated, extended])
      assert.equal((await grants.listTokens({ userId: userId ?? '', limit: 0 })).total, 1, 'an index expired before its grant')
  }),
]

/** Mutates a record as far as it is not frozen. */
function vandalize(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, item] of Object.entries(value)) {
    vandalize(item)
    Reflect.set(value, name, 'vandalized')
  }
  if (Array.isArray(value) && !Object.isFrozen(value)) value.push('vandalized')
}

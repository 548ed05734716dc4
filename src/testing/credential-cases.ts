import assert from 'node:assert/strict'
import { assertOneWon, defineCase, type StoreCase } from './case.ts'
import { newCredential, newId } from './records.ts'

export const credentialCases: readonly StoreCase[] = [
  defineCase('credentials: one per connector and owner, written by version', async ({ credentials, race }) => {
    const credential = newCredential()
    const { connectorId, ownerId } = credential
    assert.equal(await credentials.get(connectorId, ownerId), undefined)
    assert.equal(await credentials.save({ ...credential, version: 2 }), false, 'version 2 of a credential that does not exist')
    assert.deepEqual([await credentials.save(credential), await credentials.save(credential)], [true, true], 'sent twice')
    assert.equal(await credentials.save({ ...credential, sealed: 'other' }), false, 'another version 1')
    assert.deepEqual(await credentials.get(connectorId, ownerId), credential)
    assert.equal(await credentials.get(ownerId, connectorId), undefined)
    const answers = await race(({ credentials }, index) => credentials.save({ ...credential, leaseUntil: index, version: 2 }))
    assertOneWon(answers, '`credentials.save` of version 2 said true')
    const stored = (await credentials.get(connectorId, ownerId))?.leaseUntil
    assert.equal(stored, answers.indexOf(true), 'the stored record is not that of the call that won')
  }),

  defineCase(
    'credentials: gone when deleted, which a repeat says was nothing, and none but version 1 brings it back',
    async kit => {
      const { credentials } = kit
      const credential = newCredential()
      const { connectorId, ownerId } = credential
      const others = [newCredential({ connectorId }), newCredential({ ownerId })]
      for (const one of [credential, ...others]) await credentials.save(one)
      assert.equal(await credentials.delete(ownerId, connectorId), false)
      assert.equal(await credentials.delete(connectorId, ownerId), true)
      assert.equal(await credentials.delete(connectorId, ownerId), false, 'a repeat says what it removed itself: nothing')
      assert.equal(await credentials.get(connectorId, ownerId), undefined)
      for (const one of others) assert.deepEqual(await credentials.get(one.connectorId, one.ownerId), one)
      assert.equal(await credentials.save({ ...credential, version: 2 }), false, 'a refresh that was under way brings it back')
      assert.equal(await credentials.get(connectorId, ownerId), undefined)
      assert.equal(await credentials.save(credential), true)
    },
  ),

  defineCase('credentials: one whose access token has stopped working stays', async ({ clock, credentials }) => {
    const credential = newCredential({ accessExpiresAt: clock.now() + 1000, leaseUntil: clock.now() + 1000 })
    await credentials.save(credential)
    clock.moveTo(clock.now() + 600_000)
    assert.deepEqual(await credentials.get(credential.connectorId, credential.ownerId), credential)
    assert.equal(await credentials.save({ ...credential, version: 2 }), true)
  }),

  defineCase('keys: one ring, written by version', async ({ keys, race }) => {
    const version = ((await keys.get())?.version ?? 0) + 1
    assert.equal(await keys.save({ sealed: 'skipped', version: version + 1 }), false)
    const answers = await race(({ keys }, index) => keys.save({ sealed: `ring ${index} of ${newId()}`, version }))
    assertOneWon(answers, '`keys.save` of one version said true')
    const ring = await keys.get()
    assert.ok(ring, 'there is no ring')
    assert.ok(ring.sealed.startsWith(`ring ${answers.indexOf(true)} `), 'the stored ring is not that of the call that won')
    assert.equal(await keys.save(ring), true, 'the same write sent twice')
    assert.equal(await keys.save({ ...ring, sealed: 'other' }), false, 'another ring of the same version')
  }),
]

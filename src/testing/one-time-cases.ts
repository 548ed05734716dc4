import assert from 'node:assert/strict'
import { assertOneWon, defineCase, type StoreCase, times } from './case.ts'
import { newCode, newId } from './records.ts'

export const oneTimeCases: readonly StoreCase[] = [
  defineCase('one-time: what is put is what is read, by kind and id', async ({ oneTime }) => {
    const entry = newCode()
    assert.equal(await oneTime.peek('code', entry.id), undefined)
    await oneTime.put(entry)
    assert.deepEqual(await oneTime.peek('code', entry.id), entry)
    assert.equal(await oneTime.peek('consent', entry.id), undefined)
    assert.equal(await oneTime.consume('consent', entry.id, newId()), undefined)
    const { expiresAt, id } = entry
    const other = { kind: 'ended', id, expiresAt, data: { appId: newId(), orgId: newId(), userId: null } } as const
    await oneTime.put(other)
    assert.deepEqual([await oneTime.peek('code', id), await oneTime.peek('ended', id)], [entry, other], 'two kinds of one id')
  }),

  defineCase(
    'one-time: the first attempt to consume is told so, however often it asks; every other is not',
    async ({ oneTime }) => {
      const entry = newCode()
      await oneTime.put(entry)
      const [mine, other] = [newId(), newId()]
      assert.deepEqual(await oneTime.consume('code', entry.id, mine), { entry, first: true })
      assert.deepEqual(await oneTime.consume('code', entry.id, other), { entry, first: false })
      assert.deepEqual(await oneTime.consume('code', entry.id, mine), { entry, first: true })
      assert.deepEqual(await oneTime.peek('code', entry.id), entry)
      assert.equal(await oneTime.consume('code', newId(), mine), undefined)
    },
  ),

  defineCase('one-time: of many concurrent attempts to consume, one is first', async ({ oneTime, race }) => {
    for (const _ of times(5)) {
      const entry = newCode()
      await oneTime.put(entry)
      const answers = await race(({ oneTime }) => oneTime.consume('code', entry.id, newId()))
      assertOneWon(
        answers.map(answer => answer?.first === true),
        '`consume` of one entry said `first`',
      )
      for (const answer of answers) assert.deepEqual(answer?.entry, entry, 'those who are not first get the entry as well')
    }
  }),

  defineCase('one-time: putting an entry again replaces it and makes it fresh', async ({ oneTime }) => {
    const entry = newCode()
    await oneTime.put(entry)
    await oneTime.consume('code', entry.id, newId())
    const next = { ...entry, data: { ...entry.data, scopes: ['other'] } }
    await oneTime.put(next)
    assert.deepEqual(await oneTime.consume('code', entry.id, newId()), { entry: next, first: true })
  }),

  defineCase('one-time: an expired entry is absent, from its very instant', async ({ clock, oneTime }) => {
    const entry = newCode()
    const [mine, other] = [newId(), newId()]
    await oneTime.put(entry)
    clock.moveTo(entry.expiresAt - 1)
    assert.deepEqual(
      await oneTime.peek('code', entry.id),
      entry,
      'a millisecond before: does the store use the `now` it was given?',
    )
    assert.deepEqual(await oneTime.consume('code', entry.id, mine), { entry, first: true }, 'a millisecond before')
    clock.moveTo(entry.expiresAt)
    assert.equal(await oneTime.peek('code', entry.id), undefined, 'at the instant: does the store use the `now` it was given?')
    for (const attempt of [mine, other])
      assert.equal(await oneTime.consume('code', entry.id, attempt), undefined, 'at the instant')
    const next = { ...entry, expiresAt: entry.expiresAt + 600_000 }
    await oneTime.put(next)
    assert.deepEqual(await oneTime.consume('code', entry.id, other), { entry: next, first: true }, 'put again after it expired')
  }),

  defineCase('one-time: an entry that is put when it has expired already is absent', async ({ clock, oneTime }) => {
    for (const expiresAt of [clock.now(), clock.now() - 1000]) {
      const entry = newCode({ expiresAt })
      await oneTime.put(entry)
      assert.equal(await oneTime.peek('code', entry.id), undefined)
    }
  }),
]

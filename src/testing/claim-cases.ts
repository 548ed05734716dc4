import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import type { OneTime } from '../store/store.ts'
import { assertOneWon, defineCase, ONE_STEP, PARALLEL, type StoreCase, times } from './case.ts'
import { newId } from './records.ts'

export const claimCases: readonly StoreCase[] = [
  defineCase('one-time: the attempt that claims an entry is told so, however often it asks; every other is not', async kit => {
    const { oneTime } = kit
    const [entry, mine, other] = [newEntry(), newId(), newId()]
    assert.equal(await oneTime.claim(entry, mine), true)
    assert.deepEqual(await oneTime.peek('account_code', entry.id), entry)
    assert.equal(await oneTime.claim(entry, mine), true, 'the same claim, sent again')
    assert.equal(
      await oneTime.claim({ ...entry, data: { provider: 'another' } }, mine),
      true,
      'of a repeat the entry is not looked at',
    )
    assert.equal(await oneTime.claim(entry, other), false)
    assert.equal(await oneTime.claim({ ...entry, data: { provider: 'another' } }, other), false)
    assert.deepEqual(await oneTime.peek('account_code', entry.id), entry, 'the first entry stays')
    assert.equal(
      await oneTime.claim({ ...newEntry(), id: entry.id, kind: 'form', data: { userId: '', session: null } }, other),
      true,
    )
  }),

  defineCase('one-time: an entry that was put is claimed by nobody, and `put` forgets who claimed', async ({ oneTime }) => {
    const [entry, mine] = [newEntry(), newId()]
    await oneTime.put(entry)
    assert.equal(await oneTime.claim(entry, mine), false, 'it was put, not claimed')
    assert.equal(await oneTime.claim(entry, mine), false, 'the same claim, sent again')
    const claimed = newEntry()
    await oneTime.claim(claimed, mine)
    await oneTime.put({ ...claimed, data: { provider: 'put' } })
    assert.equal(await oneTime.claim(claimed, mine), false, '`put` forgets the claimer')
    assert.equal((await oneTime.peek('account_code', claimed.id))?.data.provider, 'put')
  }),

  defineCase('one-time: claiming and consuming have a winner each', async ({ oneTime }) => {
    const [entry, claimer, consumer] = [newEntry(), newId(), newId()]
    await oneTime.claim(entry, claimer)
    assert.deepEqual(await oneTime.consume('account_code', entry.id, consumer), { entry, first: true })
    assert.deepEqual(await oneTime.consume('account_code', entry.id, claimer), { entry, first: false })
    assert.equal(await oneTime.claim(entry, claimer), true, '`consume` leaves the claimer')
    assert.equal(await oneTime.claim(entry, consumer), false, 'consuming is not claiming')
    const put = newEntry()
    await oneTime.put(put)
    await oneTime.consume('account_code', put.id, consumer)
    assert.equal(await oneTime.claim(put, consumer), false, 'an entry that was consumed is there')
    await oneTime.put(entry)
    assert.deepEqual(await oneTime.consume('account_code', entry.id, claimer), { entry, first: true }, '`put` forgets both')
  }),

  defineCase('one-time: what has expired can be claimed, from its very instant, and is fresh', async ({ clock, oneTime }) => {
    const [claimed, put, consumer, next] = [newEntry(), newEntry(), newId(), newId()]
    await oneTime.claim(claimed, newId())
    await oneTime.put(put)
    for (const { id } of [claimed, put]) await oneTime.consume('account_code', id, consumer)
    clock.moveTo(claimed.expiresAt - 1)
    assert.equal(await oneTime.claim(claimed, next), false, 'a millisecond before')
    clock.moveTo(Math.max(claimed.expiresAt, put.expiresAt))
    for (const { id } of [claimed, put]) {
      const entry = { ...newEntry(), id, expiresAt: clock.now() + 600_000 }
      assert.equal(await oneTime.claim(entry, next), true, 'at the instant')
      assert.deepEqual(await oneTime.peek('account_code', id), entry)
      assert.equal(await oneTime.claim(entry, newId()), false)
      assert.deepEqual(await oneTime.consume('account_code', id, next), { entry, first: true }, 'expiry forgets the consumer')
    }
  }),

  defineCase('one-time: of many concurrent claims one is told true, and its entry is there', async ({ clock, oneTime, race }) => {
    for (const round of times(6)) {
      const entry = { ...newEntry(), expiresAt: clock.now() + 600_000 }
      // Every second round claims over an expired entry, which a database may still hold.
      if (round % 2 === 1) {
        await oneTime.put(entry)
        clock.moveTo(entry.expiresAt)
      }
      const of = (index: number) => ({ ...entry, expiresAt: clock.now() + 600_000, data: { provider: `${index}` } })
      const answers = await race(({ oneTime }, index) => oneTime.claim(of(index), `attempt ${index} ${entry.id}`))
      assertOneWon(answers, `\`claim\` of one ${round % 2 === 1 ? 'expired ' : ''}entry said true`)
      const winner = answers.indexOf(true)
      assert.deepEqual(
        await oneTime.peek('account_code', entry.id),
        of(winner),
        'the stored entry is not that of the call that won',
      )
      assert.equal(await oneTime.claim(entry, `attempt ${winner} ${entry.id}`), true, 'the winner, asking again')
    }
  }),

  defineCase('one-time: of concurrent claims that are each sent twice, both of one attempt are told true', async kit => {
    for (const _ of times(5)) {
      const entry = newEntry()
      const answers = await kit.race(({ oneTime }, index) => oneTime.claim(entry, `attempt ${index >> 1} ${entry.id}`))
      const won = new Set(answers.flatMap((answer, index) => (answer ? [index >> 1] : [])))
      assert.equal(won.size, 1, `${won.size} attempts, each sent twice at once, were told true: ${ONE_STEP}`)
      assert.equal(answers.filter(Boolean).length, 2, 'the attempt that won got true once and false once: compare the claimer')
    }
  }),

  defineCase('one-time: forgetting is for the attempt that claimed, and makes room for another', async ({ clock, oneTime }) => {
    const [entry, mine, other, consumer] = [newEntry(), newId(), newId(), newId()]
    await oneTime.claim(entry, mine)
    await oneTime.consume('account_code', entry.id, consumer)
    for (const attempt of [other, consumer]) await oneTime.forget('account_code', entry.id, attempt)
    await oneTime.forget('form', entry.id, mine)
    assert.deepEqual(await oneTime.peek('account_code', entry.id), entry, 'forgotten by another attempt, or as of another kind')
    for (const _ of times(2)) await oneTime.forget('account_code', entry.id, mine)
    assert.equal(await oneTime.peek('account_code', entry.id), undefined)
    assert.equal(await oneTime.claim(entry, other), true)
    assert.equal((await oneTime.consume('account_code', entry.id, newId()))?.first, true, 'whoever consumed it is forgotten too')
    await oneTime.forget('account_code', entry.id, mine)
    assert.deepEqual(await oneTime.peek('account_code', entry.id), entry, 'it is another attempt’s now')

    const put = newEntry()
    await oneTime.put(put)
    await oneTime.consume('account_code', put.id, mine)
    await oneTime.forget('account_code', put.id, mine)
    assert.deepEqual(await oneTime.peek('account_code', put.id), put, 'what was put is claimed by nobody')
    clock.moveTo(Math.max(entry.expiresAt, put.expiresAt))
    await oneTime.forget('account_code', entry.id, other)
    await oneTime.forget('account_code', newId(), other)
  }),

  defineCase(
    'one-time: a forgetting that comes late never removes what another attempt has claimed',
    async ({ oneTime, race }) => {
      for (const _ of times(5)) {
        const [entry, mine] = [newEntry(), newId()]
        await oneTime.claim(entry, mine)
        const answers = await race(async ({ oneTime }, index) => {
          if (index % 2 === 0) await oneTime.forget('account_code', entry.id, mine)
          // The others retry until the entry is free, so that one of them claims it while `forget` is still pending.
          else
            for (let tries = 0; tries < 10; tries++, await setImmediate())
              if (await oneTime.claim(entry, `attempt ${index} ${entry.id}`)) return true
          return false
        })
        const won = answers.filter(Boolean).length
        assert.ok(won <= 1, `${won} of ${PARALLEL / 2} concurrent \`claim\` said true beside \`forget\`: ${ONE_STEP}`)
        if (won === 0) continue
        const winner = `attempt ${answers.indexOf(true)} ${entry.id}`
        assert.ok(
          await oneTime.peek('account_code', entry.id),
          `\`forget\` removed what another attempt had claimed: ${ONE_STEP}`,
        )
        assert.equal(await oneTime.claim(entry, winner), true, 'the winner has lost its entry')
      }
    },
  ),
]

function newEntry(): OneTime<'account_code'> {
  return { kind: 'account_code', id: newId(), expiresAt: Date.now() + 600_000, data: { provider: 'provider' } }
}

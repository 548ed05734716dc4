import assert from 'node:assert/strict'
import { assertOneWon, defineCase, PARALLEL, type StoreCase, times } from './case.ts'
import { withGrant } from './grant-cases.ts'
import { newAppId, newGrant, newId, newToken, refOf } from './records.ts'

export const rotateCases: readonly StoreCase[] = [
  defineCase('grants: a rotation spends the old token, keeps its replay and adds the new ones', async ({ clock, grants }) => {
    const { grant, refresh } = await withGrant(grants)
    const next = [newToken('access', { audience: ['https://api.example'], claims: { a: {} } }), newToken('refresh')] as const
    clock.moveTo(clock.now() + 1234)
    const replay = 'sealed successor'
    assert.equal(await grants.rotate({ grant, token: refresh }, next, replay), 'rotated')
    const spent = { at: clock.now(), replay }
    assert.deepEqual(await grants.find(refOf(grant, refresh)), { grant, token: refresh, spent })
    for (const token of next) assert.deepEqual(await grants.find(refOf(grant, token)), { grant, token, spent: null })
  }),

  defineCase(
    'grants: a second rotation of one token changes nothing; a repeat of the first is that rotation',
    async ({ grants }) => {
      const { grant, refresh } = await withGrant(grants)
      const [first, second] = [newToken('refresh'), newToken('refresh')]
      assert.equal(await grants.rotate({ grant, token: refresh }, [first], 'first'), 'rotated')
      assert.equal(await grants.rotate({ grant, token: refresh }, [second], 'second'), 'reused')
      assert.equal(await grants.rotate({ grant, token: refresh }, [first], 'first'), 'rotated')
      assert.equal((await grants.find(refOf(grant, refresh)))?.spent?.replay, 'first')
      assert.equal(await grants.find(refOf(grant, second)), undefined)
      assert.deepEqual((await grants.find(refOf(grant, first)))?.token, first)
      const { total } = await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })
      assert.equal(total, 2, 'the access token and the first successor')
    },
  ),

  defineCase('grants: a replay of 8 KiB is kept whole, and told from one whose last character differs', async ({ grants }) => {
    const { grant, refresh } = await withGrant(grants)
    const next = [newToken('refresh')]
    const replay = (length: number, last: string) => 'r'.padEnd(length - 1, 'x') + last
    assert.equal(await grants.rotate({ grant, token: refresh }, next, replay(8192, 'y')), 'rotated')
    assert.equal((await grants.find(refOf(grant, refresh)))?.spent?.replay, replay(8192, 'y'))
    for (const other of [replay(8192, 'Y'), replay(8192, 'z'), replay(256, 'y'), ''])
      assert.equal(await grants.rotate({ grant, token: refresh }, next, other), 'reused', 'one replay was taken for another')
    assert.equal(await grants.rotate({ grant, token: refresh }, next, replay(8192, 'y')), 'rotated')
  }),

  defineCase('grants: of many concurrent rotations of one token, one wins, with its own successor', async ({ grants, race }) => {
    for (const _ of times(5)) {
      const { grant, refresh } = await withGrant(grants)
      const successors = times(PARALLEL, () => newToken('refresh'))
      const answers = await race(({ grants }, index) =>
        grants.rotate({ grant, token: refresh }, successors.slice(index, index + 1), `replay ${index}`),
      )
      assertOneWon(
        answers.map(answer => answer === 'rotated'),
        "`rotate` of one token said 'rotated'",
      )
      assert.equal(answers.filter(answer => answer === 'reused').length, PARALLEL - 1, "the others get 'reused'")
      const winner = answers.indexOf('rotated')
      const replay = (await grants.find(refOf(grant, refresh)))?.spent?.replay
      assert.equal(replay, `replay ${winner}`, 'the token was spent for another rotation than the one that won')
      const found = await Promise.all(successors.map(token => grants.find(refOf(grant, token))))
      assert.deepEqual(
        found.flatMap((one, index) => (one ? [index] : [])),
        [winner],
        'the successors that are there, and the one that should be',
      )
      const { items, total } = await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 10 })
      assert.deepEqual([items.length, total], [2, 2], 'the access token and the one successor')
    }
  }),

  defineCase('grants: only a refresh token of the grant can be rotated', async ({ grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const next = newToken('refresh')
    assert.equal(await grants.rotate({ grant, token: access }, [next], 'replay'), 'missing')
    assert.equal(await grants.rotate({ grant, token: newToken('refresh') }, [next], 'replay'), 'missing')
    assert.equal(await grants.rotate({ grant: newGrant(), token: refresh }, [next], 'replay'), 'missing')
    assert.equal(await grants.find(refOf(grant, next)), undefined)
  }),

  defineCase('grants: what the caller read a moment ago decides nothing about a rotation but which token', async ({ grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const next = newToken('refresh')
    const read = { grant, token: { ...access, kind: 'refresh' } } as const
    assert.equal(await grants.rotate(read, [next], 'replay'), 'missing', 'the stored token is an access token')
    assert.equal(await grants.find(refOf(grant, next)), undefined)

    const lie = { ...grant, appId: newAppId(), userId: newId(), orgId: newId(), epoch: 9, scopes: [], context: { lie: true } }
    const lying = { grant: lie, token: { ...refresh, kind: 'access', scopes: [], expiresAt: 1 } } as const
    assert.equal(await grants.rotate(lying, [next], 'replay'), 'rotated', 'the stored token is a live refresh token')
    assert.deepEqual(await grants.find(refOf(grant, next)), { grant, token: next, spent: null }, 'the grant is the stored one')
    assert.deepEqual((await grants.find(refOf(grant, refresh)))?.token, refresh, 'the spent token is the stored one')
    const total = async (query: { appId: string; epoch: number } | { userId: string }) =>
      (await grants.listTokens({ ...query, limit: 0 })).total
    assert.equal(await total({ appId: grant.appId, epoch: 1 }), 2, 'listed of the stored app and epoch')
    assert.equal(await total({ userId: grant.userId ?? '' }), 2, 'listed of the stored user')
    assert.equal(await total({ appId: grant.appId, epoch: 9 }), 0)
    assert.equal(await total({ userId: lie.userId }), 0)
    for (const query of [{ appId: lie.appId }, { userId: lie.userId }, { orgId: lie.orgId }])
      assert.equal(await grants.revokeMany(query), 0, 'the grant was revoked by what the caller said of it')
    assert.equal(await grants.revokeMany({ userId: grant.userId ?? '', epochBelow: 2 }), 1)
    assert.equal(await grants.find(refOf(grant, next)), undefined)
  }),

  defineCase('grants: a refresh token can be rotated until the very instant at which it expires', async ({ clock, grants }) => {
    const grant = newGrant()
    const [last, stale] = [newToken('refresh'), newToken('refresh')]
    const expiresAt = Math.max(last.expiresAt, stale.expiresAt)
    const live = newToken('access', { expiresAt: expiresAt + 1000 })
    await grants.create(grant, [{ ...last, expiresAt }, { ...stale, expiresAt }, live])
    const next = newToken('refresh', { expiresAt: expiresAt + 1000 })
    clock.moveTo(expiresAt - 1)
    assert.equal(await grants.rotate({ grant, token: last }, [next], 'replay'), 'rotated', 'a millisecond before')
    clock.moveTo(expiresAt)
    const late = newToken('refresh', { expiresAt: expiresAt + 1000 })
    assert.equal(await grants.rotate({ grant, token: stale }, [late], 'replay'), 'missing', 'at the instant')
    assert.equal(await grants.rotate({ grant, token: last }, [next], 'replay'), 'missing', 'a repeat, at the instant')
    assert.equal(await grants.find(refOf(grant, late)), undefined)
    assert.ok(await grants.find(refOf(grant, next)))
  }),

  defineCase('grants: a long line of rotations loses neither the spent tokens nor the live ones', async ({ grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const line = [refresh]
    for (const index of times(80)) {
      const next = newToken('refresh')
      assert.equal(await grants.rotate({ grant, token: line.at(-1) ?? refresh }, [next], `replay ${index}`), 'rotated')
      line.push(next)
    }
    for (const [index, token] of line.entries()) {
      const spent = (await grants.find(refOf(grant, token)))?.spent
      assert.equal(spent?.replay, index < 80 ? `replay ${index}` : undefined)
    }
    assert.deepEqual((await grants.find(refOf(grant, access)))?.token, access)
  }),

  defineCase('grants: a rotation prolongs its grant to the longest of its tokens', async ({ clock, grants }) => {
    const grant = newGrant()
    const soon = newToken('refresh')
    await grants.create(grant, [soon])
    const late = newToken('refresh', { expiresAt: soon.expiresAt + 300_000 })
    const short = newToken('access', { expiresAt: soon.expiresAt - 300_000 })
    assert.equal(await grants.rotate({ grant, token: soon }, [late, short], 'replay'), 'rotated')
    clock.moveTo(soon.expiresAt)
    assert.equal(await grants.find(refOf(grant, soon)), undefined)
    assert.deepEqual(await grants.find(refOf(grant, late)), { grant, token: late, spent: null })
    assert.equal((await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total, 1)
    assert.equal((await grants.listTokens({ userId: grant.userId ?? '', limit: 0 })).total, 1)
    assert.equal(await grants.create({ ...grant, userId: 'somebody else' }, [newToken('access')]), false, 'the grant lives')
    const latest = newToken('access', { expiresAt: late.expiresAt + 300_000 })
    assert.equal(await grants.rotate({ grant, token: late }, [latest], 'again'), 'rotated')
    clock.moveTo(late.expiresAt)
    assert.deepEqual((await grants.find(refOf(grant, latest)))?.token, latest)
    assert.equal(await grants.revoke(grant.id), true, 'the grant lives')
    assert.equal(await grants.find(refOf(grant, latest)), undefined)
  }),
]

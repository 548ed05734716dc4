import assert from 'node:assert/strict'
import type { RevokeQuery } from '../store/store.ts'
import { defineCase, ONE_STEP, type StoreCase, times } from './case.ts'
import { withGrant } from './grant-cases.ts'
import { newAppId, newGrant, newId, newToken, refOf } from './records.ts'

export const revokeCases: readonly StoreCase[] = [
  defineCase('grants: revoking a token leaves the rest of its grant', async ({ grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    assert.equal(await grants.revokeToken(refOf(grant, access)), true)
    assert.equal(await grants.find(refOf(grant, access)), undefined)
    assert.deepEqual((await grants.find(refOf(grant, refresh)))?.token, refresh)
    for (const ref of [
      { grantId: grant.id, tokenId: newId() },
      { grantId: newId(), tokenId: refresh.id },
      refOf(newGrant(), refresh),
    ])
      assert.equal(await grants.revokeToken(ref), false)
    assert.deepEqual((await grants.find(refOf(grant, refresh)))?.token, refresh)
  }),

  defineCase('grants: a repeat of what ended something says that there was nothing to end', async ({ grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const { appId, id, orgId, userId } = grant
    assert.deepEqual(
      [await grants.revokeToken(refOf(grant, access)), await grants.revokeToken(refOf(grant, access))],
      [true, false],
    )
    assert.deepEqual([await grants.revoke(id), await grants.revoke(id)], [true, false])
    for (const query of [{ appId }, { userId: userId ?? '' }, { orgId }]) {
      await withGrant(grants, { appId, orgId, userId })
      assert.deepEqual([await grants.revokeMany(query), await grants.revokeMany(query)], [1, 0])
    }
    assert.equal(await grants.revokeToken(refOf(grant, refresh)), false, 'a token of a revoked grant')
    assert.equal(await grants.revoke(newGrant().id), false, 'a grant that was never there')
  }),

  defineCase(
    'grants: revoking a grant ends every token of it, and neither rotation nor addition revives it',
    async ({ grants }) => {
      const { access, grant, refresh } = await withGrant(grants)
      assert.equal(await grants.revoke(grant.id), true)
      for (const token of [access, refresh]) assert.equal(await grants.find(refOf(grant, token)), undefined)
      const next = newToken('refresh')
      assert.equal(await grants.rotate({ grant, token: refresh }, [next], 'replay'), 'missing')
      assert.equal(await grants.add({ grant, token: refresh }, [next]), 'missing')
      assert.equal(await grants.find(refOf(grant, next)), undefined)
      assert.equal((await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total, 0)
    },
  ),

  defineCase('grants: a revocation ends what concurrent rotations and additions add', async ({ grants, race }) => {
    for (const _ of times(10)) {
      const { access, grant, refresh } = await withGrant(grants)
      const [next, added] = [newToken('refresh'), newToken('access')]
      const answers = await race<unknown>(({ grants }, index) => {
        if (index === 3) return grants.revoke(grant.id)
        if (index > 9) return Promise.resolve()
        return index % 2 === 0
          ? grants.rotate({ grant, token: refresh }, [next], 'replay')
          : grants.add({ grant, token: refresh }, [added])
      })
      assert.equal(answers[3], true, '`revoke` of a live grant said false beside concurrent rotations and additions')
      for (const token of [access, refresh, next, added])
        assert.equal(await grants.find(refOf(grant, token)), undefined, `a token lives on after \`revoke\`: ${ONE_STEP}`)
      const { items, total } = await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 10 })
      assert.deepEqual([items, total], [[], 0], 'tokens of the revoked grant are listed')
      assert.equal(await grants.revoke(grant.id), false, 'the grant is there again')
    }
  }),

  defineCase('grants: revoking by app ends all of its grants, or those of one user, and counts them', async ({ grants }) => {
    const [appId, otherId] = [newAppId(), newAppId()]
    const mine = await withGrant(grants, { appId, userId: 'anna' })
    const hers = await withGrant(grants, { appId, userId: 'berta' })
    const nobodys = await withGrant(grants, { appId, userId: null })
    const other = await withGrant(grants, { appId: otherId, userId: 'anna' })
    assert.equal(await grants.revokeMany({ appId, userId: 'anna' }), 1)
    assert.equal(await grants.find(refOf(mine.grant, mine.access)), undefined)
    assert.ok(await grants.find(refOf(hers.grant, hers.access)))
    assert.equal(await grants.revokeMany({ appId }), 2)
    for (const { access, grant } of [hers, nobodys]) assert.equal(await grants.find(refOf(grant, access)), undefined)
    assert.equal(await grants.revokeMany({ appId }), 0)
    assert.ok(await grants.find(refOf(other.grant, other.access)))
  }),

  defineCase('grants: every member of a query narrows what is revoked', async ({ grants }) => {
    const [appId, userId, orgId] = [newAppId(), newId(), newId()]
    const live = async (fields: object) => {
      const { access, grant } = await withGrant(grants, { appId, userId, orgId, ...fields })
      return async () => (await grants.find(refOf(grant, access))) !== undefined
    }
    const others = [
      await live({ appId: newAppId() }),
      await live({ userId: newId() }),
      await live({ userId: null }),
      await live({ orgId: newId() }),
      await live({ epoch: 2 }),
    ]
    const it = await live({})
    assert.equal(await grants.revokeMany({ appId, userId, orgId, epochBelow: 1 }), 0)
    assert.equal(await it(), true)
    assert.equal(await grants.revokeMany({ appId, userId, orgId, epochBelow: 2 }), 1)
    assert.equal(await it(), false)
    for (const [index, other] of others.entries()) assert.equal(await other(), true, `it differs in one member: ${index}`)
    assert.equal(await grants.revokeMany({ userId, orgId, epochBelow: 2 }), 1, 'the one of another app')
    assert.equal(await grants.revokeMany({ appId, orgId }), 3, 'of another user, of no user, of another epoch')
    assert.equal(await grants.revokeMany({ appId, userId }), 1, 'the one of another organisation')
  }),

  defineCase(
    'grants: revoking by organisation ends its grants, of its users and of apps that act for themselves',
    async ({ grants }) => {
      const orgId = newId()
      const ended = [await withGrant(grants, { orgId }), await withGrant(grants, { orgId, userId: null, epoch: 7 })]
      const other = await withGrant(grants, { userId: orgId })
      const empty = await withGrant(grants, { orgId: '' })
      assert.equal(await grants.revokeMany({ orgId, epochBelow: 7 }), 1)
      assert.equal(await grants.revokeMany({ orgId }), 1)
      for (const { access, grant } of ended) assert.equal(await grants.find(refOf(grant, access)), undefined)
      for (const { access, grant } of [other, empty])
        assert.ok(await grants.find(refOf(grant, access)), 'a user is not an organisation')
    },
  ),

  defineCase('grants: a query that names no app, user or organisation revokes nothing', async ({ grants }) => {
    const { access, grant } = await withGrant(grants)
    for (const query of [{}, { epochBelow: 1e6 }] satisfies readonly RevokeQuery[]) {
      assert.equal(await grants.revokeMany(query), 0, 'a query that names none of the three means none')
      assert.ok(await grants.find(refOf(grant, access)), 'a query that names none of the three revoked a grant')
    }
  }),

  defineCase('grants: however many grants match are revoked', async ({ grants, race }) => {
    const [appId, userId, orgId] = [newAppId(), newId(), newId()]
    for (const query of [{ appId }, { userId }, { orgId }]) {
      const made = times(400, () => ({ grant: newGrant({ appId, orgId, userId }), token: newToken('access') }))
      await race(async ({ grants }, index) => {
        for (const { grant, token } of made.slice(8 * index, 8 * index + 8)) await grants.create(grant, [token])
      })
      assert.equal((await grants.listTokens({ appId, epoch: 1, limit: 0 })).total, made.length)
      assert.equal(await grants.revokeMany(query), made.length, ALL)
      assert.equal((await grants.listTokens({ userId, limit: 0 })).total, 0)
      const found = await race(({ grants }, index) => grants.find(refOf(...pairOf(made[8 * index]))))
      assert.equal(found.filter(Boolean).length, 0, 'grants live on after `revokeMany`')
    }
    const more = times(1200, () => ({ grant: newGrant({ appId }), token: newToken('access') }))
    await race(async ({ grants }, index) => {
      for (const { grant, token } of more.slice(24 * index, 24 * index + 24)) await grants.create(grant, [token])
    })
    assert.equal(await grants.revokeMany({ appId }), more.length, ALL)
    assert.equal((await grants.listTokens({ appId, epoch: 1, limit: 0 })).total, 0)
  }),

  defineCase('grants: concurrent revocations by app, user and organisation, among rotations, end everything once', async kit => {
    const { grants } = kit
    for (const _ of times(5)) {
      const [appId, userId, orgId] = [newAppId(), newId(), newId()]
      const made = await Promise.all(times(30, () => withGrant(grants, { appId, orgId, userId })))
      const answers = await kit.race<unknown>(({ grants }, index) => {
        if (index === 4) return grants.revokeMany({ appId })
        if (index === 9) return grants.revokeMany({ userId })
        if (index === 14) return grants.revokeMany({ orgId })
        const { grant, refresh } = made[index % made.length] ?? {}
        if (!grant || !refresh) return Promise.resolve()
        return index % 2
          ? grants.rotate({ grant, token: refresh }, [newToken('refresh')], 'r')
          : grants.add({ grant, token: refresh }, [newToken('access')])
      })
      const counts = [answers[4], answers[9], answers[14]].map(Number)
      const sum = counts.reduce((total, count) => total + count, 0)
      assert.equal(
        sum,
        made.length,
        `three \`revokeMany\` at once revoked ${counts.join(' + ')} of ${made.length} grants: count what this call ended`,
      )
      assert.equal((await grants.listTokens({ userId, limit: 0 })).total, 0, 'tokens live on')
      assert.equal((await grants.listTokens({ appId, epoch: 1, limit: 0 })).total, 0, 'tokens live on')
    }
  }),
]

const ALL = '`revokeMany` revokes all that match, in as many steps as it needs'

function pairOf<Grant, Token>(made: { readonly grant: Grant; readonly token: Token } | undefined): readonly [Grant, Token] {
  assert.ok(made)
  return [made.grant, made.token]
}

import assert from 'node:assert/strict'
import type { Grant, GrantStore, Token } from '../store/store.ts'
import { assertOneWon, defineCase, type StoreCase } from './case.ts'
import { newGrant, newId, newToken, refOf } from './records.ts'

export const grantCases: readonly StoreCase[] = [
  defineCase('grants: what is created is what is found, by grant and token', async ({ grants }) => {
    const grant = newGrant({ context: { nonce: 'n', authTime: 5 } })
    const claims = { 'https://api.example/tier': ['gold', null, { 'a.b': 1 }], nul: '\0' }
    const [access, refresh] = [
      newToken('access', { audience: ['https://api.example/a?b', '[["]'], claims, jkt: newId() }),
      newToken('refresh', { audience: [] }),
    ]
    assert.equal(await grants.find(refOf(grant, access)), undefined)
    assert.equal(await grants.create(grant, [access, refresh]), true)
    assert.deepEqual(await grants.find(refOf(grant, access)), { grant, token: access, spent: null })
    assert.deepEqual(await grants.find(refOf(grant, refresh)), { grant, token: refresh, spent: null })
    assert.equal(await grants.find({ grantId: grant.id, tokenId: newId() }), undefined)
    assert.equal(await grants.find({ grantId: newGrant().id, tokenId: access.id }), undefined)
    for (const id of ['', '\0', 'x'.repeat(65_536)]) assert.equal(await grants.find({ grantId: id, tokenId: id }), undefined)
  }),

  defineCase('grants: a grant of no user, and no scopes, is kept', async ({ grants }) => {
    const [grant, token] = [newGrant({ userId: null, scopes: [] }), newToken('access', { scopes: [] })]
    await grants.create(grant, [token])
    assert.deepEqual(await grants.find(refOf(grant, token)), { grant, token, spent: null })
  }),

  defineCase('grants: creating the same grant twice is one creation; another grant never takes its id', async ({ grants }) => {
    const grant = newGrant()
    const token = newToken('access')
    assert.deepEqual([await grants.create(grant, [token]), await grants.create(grant, [token])], [true, true])
    const intruder = newToken('access')
    assert.equal(await grants.create({ ...grant, userId: 'somebody else' }, [intruder]), false)
    assert.equal(await grants.find(refOf(grant, intruder)), undefined)
    assert.deepEqual((await grants.find(refOf(grant, token)))?.grant, grant)
  }),

  defineCase(
    'grants: creating a grant that is there with tokens that are not is refused, and writes nothing',
    async ({ grants }) => {
      const { access, grant, refresh } = await withGrant(grants)
      const other = newToken('access')
      for (const tokens of [[other], [access, refresh, other], [other, access]]) {
        assert.equal(await grants.create(grant, tokens), false, 'the grant is there without one of these tokens')
        assert.equal(await grants.find(refOf(grant, other)), undefined, 'a creation that is refused adds nothing')
      }
      assert.equal(await grants.create(grant, [refresh, access]), true, 'the same tokens, sent again')
      assert.equal((await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total, 2)
    },
  ),

  defineCase(
    'grants: an expired token is absent, from its very instant, while the rest of its grant lives',
    async ({ clock, grants }) => {
      const grant = newGrant()
      const [stale, live] = [newToken('access'), newToken('refresh', { expiresAt: clock.now() + 900_000 })]
      await grants.create(grant, [stale, live])
      clock.moveTo(stale.expiresAt - 1)
      assert.deepEqual((await grants.find(refOf(grant, stale)))?.token, stale, 'a millisecond before')
      clock.moveTo(stale.expiresAt)
      assert.equal(await grants.find(refOf(grant, stale)), undefined, 'at the instant')
      assert.equal(await grants.revokeToken(refOf(grant, stale)), false, 'at the instant')
      assert.deepEqual((await grants.find(refOf(grant, live)))?.token, live)
    },
  ),

  defineCase('grants: an expired grant is absent, from its very instant: it is not counted, and its id is free', async kit => {
    const { clock, grants } = kit
    const { access, grant, refresh } = await withGrant(grants)
    const [other, later] = [{ ...grant, userId: 'somebody else' }, clock.now() + 900_000]
    const successor = newToken('access', { expiresAt: later })
    clock.moveTo(Math.max(access.expiresAt, refresh.expiresAt) - 1)
    assert.equal(await grants.create(other, [successor]), false, 'a millisecond before')
    clock.moveTo(clock.now() + 1)
    assert.equal(await grants.revoke(grant.id), false, '`revoke` says true of a grant that has expired')
    const { appId, id, orgId, userId } = grant
    for (const query of [{ appId }, { userId: userId ?? '' }, { orgId }])
      assert.equal(await grants.revokeMany(query), 0, '`revokeMany` counts a grant that has expired')

    const kept = await withGrant(grants)
    clock.moveTo(Math.max(kept.access.expiresAt, kept.refresh.expiresAt))
    const [next, token] = [{ ...kept.grant, userId: 'somebody else' }, newToken('access', { expiresAt: clock.now() + 600_000 })]
    assert.equal(await grants.create(next, [token]), true, 'an expired grant holds its id')
    assert.deepEqual(await grants.find(refOf(next, token)), { grant: next, token, spent: null })
    for (const stale of [kept.access, kept.refresh]) assert.equal(await grants.find(refOf(next, stale)), undefined)
    assert.equal((await grants.listTokens({ appId: next.appId, epoch: 1, limit: 0 })).total, 1)
    assert.equal((await grants.listTokens({ userId: kept.grant.userId ?? '', limit: 0 })).total, 0)
    assert.equal(await grants.find({ grantId: id, tokenId: successor.id }), undefined)
  }),

  defineCase('grants: a grant whose last token is revoked is absent, and its id is free', async ({ grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const [other, token] = [{ ...grant, userId: 'somebody else' }, newToken('access')]
    assert.equal(await grants.revokeToken(refOf(grant, access)), true)
    assert.equal(await grants.create(other, [token]), false, 'a token of it lives')
    assert.equal(await grants.revokeToken(refOf(grant, refresh)), true)
    assert.equal(await grants.revoke(grant.id), false, 'nothing of it lives')
    assert.equal(await grants.create(other, [token]), true)
    assert.deepEqual(await grants.find(refOf(other, token)), { grant: other, token, spent: null })
  }),

  defineCase('grants: many who create one grant create it once, and of many who revoke it, one did', async ({ grants, race }) => {
    const grant = newGrant()
    const [token, intruder] = [newToken('access'), newToken('access')]
    const created = await race(({ grants }, index) =>
      index % 2 === 0 ? grants.create(grant, [token]) : grants.create({ ...grant, userId: 'somebody else' }, [intruder]),
    )
    const [mine, theirs] = [created.filter((_, index) => index % 2 === 0), created.filter((_, index) => index % 2 === 1)]
    assert.deepEqual([new Set(mine).size, new Set(theirs).size], [1, 1], 'equal creations must get equal answers')
    assert.notEqual(mine[0], theirs[0], 'two different grants of one id, created at once: exactly one must be told true')
    const [there, absent] = mine[0] ? [token, intruder] : [intruder, token]
    assert.ok(await grants.find(refOf(grant, there)), 'the grant whose creation succeeded is absent')
    assert.equal(await grants.find(refOf(grant, absent)), undefined, 'a token of the grant that was refused is there')
    assertOneWon(await race(({ grants }) => grants.revoke(grant.id)), '`revoke` of one grant said true')
  }),
]

/** Stores a grant with an access and a refresh token. */
export async function withGrant(
  grants: GrantStore,
  fields: Partial<Grant> = {},
): Promise<{ readonly grant: Grant; readonly access: Token; readonly refresh: Token }> {
  const grant = newGrant(fields)
  const [access, refresh] = [newToken('access'), newToken('refresh')]
  assert.equal(await grants.create(grant, [access, refresh]), true)
  return { access, grant, refresh }
}

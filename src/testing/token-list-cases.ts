import assert from 'node:assert/strict'
import type { GrantStore, Token, TokenQuery } from '../store/store.ts'
import { defineCase, type StoreCase, times } from './case.ts'
import { withGrant } from './grant-cases.ts'
import { newAppId, newGrant, newId, newToken, refOf } from './records.ts'

export const tokenListCases: readonly StoreCase[] = [
  defineCase(
    'grants: the tokens of a user are listed, and revoked, with every app and whatever their epoch',
    async ({ grants }) => {
      const userId = newId()
      const at = Date.now()
      const first = newGrant({ userId })
      const second = newGrant({ userId, epoch: 7 })
      const tokens = times(4, index => newToken('access', { issuedAt: at + index }))
      const [oldest, older, newer, newest] = tokens as [Token, Token, Token, Token]
      await grants.create(first, [oldest, newer])
      await grants.create(second, [older])
      const refresh = newToken('refresh', { issuedAt: at - 1 })
      const elsewhere = await withGrant(grants)
      const third = newGrant({ appId: first.appId, userId })
      await grants.create(third, [refresh])
      await grants.rotate({ grant: third, token: refresh }, [newest], 'replay')

      const page = await grants.listTokens({ userId, limit: 3 })
      const expected = [
        { grant: third, token: newest },
        { grant: first, token: newer },
        { grant: second, token: older },
      ]
      assert.deepEqual([page.items, page.total], [expected, 4])
      assert.ok(page.next !== null, 'there is a fourth')
      const rest = await grants.listTokens({ userId, limit: 3, after: page.next })
      assert.deepEqual(rest, { items: [{ grant: first, token: oldest }], total: 4, next: null })

      assert.equal(await grants.revokeMany({ userId }), 3)
      assert.deepEqual(await grants.listTokens({ userId, limit: 3 }), { items: [], total: 0, next: null })
      assert.equal(await grants.revokeMany({ userId }), 0)
      assert.ok(await grants.find(refOf(elsewhere.grant, elsewhere.access)))
    },
  ),

  defineCase('grants: an epoch divides what is listed, and what is revoked, from what is not', async ({ grants }) => {
    const appId = newAppId()
    const before = await withGrant(grants, { appId, epoch: 1 })
    const after = await withGrant(grants, { appId, epoch: 2 })
    const listed = async (epoch: number) => {
      const { items, total } = await grants.listTokens({ appId, epoch, limit: 10 })
      return { ids: items.map(({ token }) => token.id).toSorted(), total }
    }
    assert.deepEqual(await listed(1), { ids: [before.access.id, before.refresh.id].toSorted(), total: 2 })
    assert.deepEqual(await listed(2), { ids: [after.access.id, after.refresh.id].toSorted(), total: 2 })
    assert.equal(await grants.revokeMany({ appId, epochBelow: 2 }), 1)
    assert.equal(await grants.find(refOf(before.grant, before.access)), undefined)
    assert.ok(await grants.find(refOf(after.grant, after.access)))
    assert.deepEqual([await listed(1), (await listed(2)).total], [{ ids: [], total: 0 }, 2])
  }),

  defineCase('grants: a list is of live tokens only, newest first, with the total', async ({ clock, grants }) => {
    const appId = newAppId()
    const at = Date.now()
    const grant = newGrant({ appId })
    const tokens = times(3, index => newToken('access', { issuedAt: at + index }))
    const stale = newToken('access', { issuedAt: at + 10, expiresAt: clock.now() + 1000 })
    const refresh = newToken('refresh', { issuedAt: at + 20 })
    const revoked = newToken('access', { issuedAt: at + 40 })
    await grants.create(grant, [...tokens, stale, refresh, revoked])
    await withGrant(grants)
    await grants.revokeToken(refOf(grant, revoked))
    const next = newToken('refresh', { issuedAt: at + 30 })
    await grants.rotate({ grant, token: refresh }, [next], 'replay')
    const listed = (expected: readonly Token[]) => ({
      items: expected.map(token => ({ grant, token })),
      total: expected.length,
      next: null,
    })
    const query = { appId, epoch: 1, limit: 10 }
    const nothing = { items: [], total: 0, next: null }
    clock.moveTo(stale.expiresAt - 1)
    assert.deepEqual(await grants.listTokens(query), listed([next, stale, ...tokens.toReversed()]))
    clock.moveTo(stale.expiresAt)
    assert.deepEqual(await grants.listTokens(query), listed([next, ...tokens.toReversed()]))
    assert.deepEqual(await grants.listTokens({ userId: grant.userId ?? '', limit: 10 }), listed([next, ...tokens.toReversed()]))
    assert.deepEqual(await grants.listTokens({ appId: newAppId(), epoch: 1, limit: 10 }), nothing)
    assert.deepEqual((await grants.listTokens({ ...query, limit: 0 })).items, [])
    assert.equal((await grants.listTokens({ ...query, limit: 0 })).total, 4)
    await grants.revoke(grant.id)
    assert.deepEqual(await grants.listTokens(query), nothing)
  }),

  defineCase('grants: pages neither repeat nor skip while tokens are added', async ({ grants }) => {
    const [appId, userId] = [newAppId(), newId()]
    const at = Date.now() - 10_000
    const made: string[] = []
    const add = async (issuedAt: number) => {
      const token = newToken('access', { issuedAt })
      await grants.create(newGrant({ appId, userId }), [token])
      return token.id
    }
    // Two tokens of each instant, which the cursor must distinguish.
    for (const index of times(12)) made.push(await add(at + Math.floor(index / 2)))
    // A page of odd size ends between two tokens of one instant.
    const ofApp = await pages(grants, { appId, epoch: 1, limit: 5 }, seen => add(at + 5000 + seen))
    assert.deepEqual(ofApp.toSorted(), made.toSorted(), 'the tokens that were there before the first page')
    const known = await pages(grants, { userId, limit: 100 })
    const ofUser = await pages(grants, { userId, limit: 3 }, seen => add(at + 8000 + seen))
    assert.deepEqual(ofUser.toSorted(), known.toSorted(), 'the tokens that were there before the first page')
  }),
]

/** Reads the ids of all pages. `between` is called after each page with the number of ids so far. */
async function pages(
  grants: GrantStore,
  query: TokenQuery,
  between: (seen: number) => Promise<unknown> = async () => {},
): Promise<readonly string[]> {
  const seen: string[] = []
  let after: string | null | undefined
  for (let page = 0; after !== null; page++) {
    assert.ok(page < 50, 'pages go on without end')
    const { items, next } = await grants.listTokens({ ...query, ...(after === undefined ? {} : { after }) })
    seen.push(...items.map(({ token }) => token.id))
    after = next
    await between(seen.length)
  }
  return seen
}

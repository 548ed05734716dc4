import assert from 'node:assert/strict'
import { defineCase, ONE_STEP, PARALLEL, type StoreCase, times } from './case.ts'
import { withGrant } from './grant-cases.ts'
import { newAppId, newGrant, newId, newToken, refOf } from './records.ts'

export const addCases: readonly StoreCase[] = [
  defineCase('grants: tokens are added to a live grant, and the presented token stays as it is', async ({ grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const added = [newToken('access', { audience: ['https://other.example'], jkt: newId() }), newToken('refresh')] as const
    assert.equal(await grants.add({ grant, token: refresh }, added), 'added')
    for (const token of [access, refresh, ...added])
      assert.deepEqual(await grants.find(refOf(grant, token)), { grant, token, spent: null })
    assert.equal((await grants.listTokens({ userId: grant.userId ?? '', limit: 0 })).total, 4)
    assert.equal(await grants.rotate({ grant, token: refresh }, [newToken('refresh')], 'replay'), 'rotated')
    assert.equal(await grants.revoke(grant.id), true)
    for (const token of added) assert.equal(await grants.find(refOf(grant, token)), undefined)
  }),

  defineCase('grants: adding the same tokens again adds nothing, and is told the same', async ({ grants }) => {
    const { grant, refresh } = await withGrant(grants)
    const tokens = [newToken('access'), newToken('access', { claims: { a: 1, b: [] } })] as const
    for (const _ of times(3)) assert.equal(await grants.add({ grant, token: refresh }, tokens), 'added')
    const { items, total } = await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 10 })
    assert.deepEqual([items.length, total], [4, 4])
  }),

  defineCase('grants: adding a token whose id is there with other content is rejected, and adds nothing', async ({ grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const fresh = newToken('access')
    for (const other of [
      { ...access, scopes: ['write'] },
      { ...access, expiresAt: access.expiresAt + 1 },
      { ...refresh, kind: 'access' as const },
    ]) {
      const add = grants.add({ grant, token: refresh }, [fresh, other])
      await assert.rejects(add, `the id of a token that is there was added with other content: ${JSON.stringify(other)}`)
      assert.equal(await grants.find(refOf(grant, fresh)), undefined, 'a rejected call adds none of its tokens')
    }
    assert.deepEqual((await grants.find(refOf(grant, access)))?.token, access)
    assert.equal(await grants.add({ grant, token: refresh }, [fresh]), 'added')
  }),

  defineCase('grants: nothing is added without a live, unspent refresh token of a live grant', async ({ clock, grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const token = newToken('access', { expiresAt: clock.now() + 900_000 })
    const revoked = newToken('refresh')
    await grants.add({ grant, token: refresh }, [revoked])
    await grants.revokeToken(refOf(grant, revoked))
    const elsewhere = await withGrant(grants)
    const missing = async (found: Parameters<typeof grants.add>[0], why: string) => {
      assert.equal(await grants.add(found, [token]), 'missing', why)
      assert.equal(await grants.find(refOf(grant, token)), undefined, why)
    }
    await missing({ grant, token: access }, 'an access token')
    await missing({ grant, token: { ...access, kind: 'refresh' } }, 'an access token, whatever the caller read')
    await missing({ grant, token: newToken('refresh') }, 'a token that was never there')
    await missing({ grant, token: revoked }, 'a revoked token')
    await missing({ grant, token: elsewhere.refresh }, 'a token of another grant')
    await missing({ grant: newGrant(), token: refresh }, 'a grant that was never there')
    await grants.rotate({ grant, token: refresh }, [newToken('refresh')], 'replay')
    await missing({ grant, token: refresh }, 'a spent token')
    await grants.revoke(elsewhere.grant.id)
    assert.equal(await grants.add({ grant: elsewhere.grant, token: elsewhere.refresh }, [token]), 'missing', 'a revoked grant')
    assert.equal(await grants.find(refOf(elsewhere.grant, token)), undefined)

    const [soon, later] = [newToken('refresh'), newToken('refresh', { expiresAt: clock.now() + 900_000 })]
    const living = newGrant()
    await grants.create(living, [soon, later])
    clock.moveTo(soon.expiresAt - 1)
    assert.equal(await grants.add({ grant: living, token: soon }, [token]), 'added', 'a millisecond before it expires')
    clock.moveTo(soon.expiresAt)
    const last = newToken('access', { expiresAt: clock.now() + 600_000 })
    assert.equal(await grants.add({ grant: living, token: soon }, [last]), 'missing', 'at the instant')
    assert.equal(await grants.find(refOf(living, last)), undefined)
  }),

  defineCase(
    'grants: what the caller read a moment ago decides nothing about an addition but which token',
    async ({ grants }) => {
      const { grant, refresh } = await withGrant(grants)
      const lie = { ...grant, appId: newAppId(), userId: newId(), orgId: newId(), epoch: 9 }
      const token = newToken('access')
      assert.equal(await grants.add({ grant: lie, token: { ...refresh, kind: 'access', expiresAt: 1 } }, [token]), 'added')
      assert.deepEqual(await grants.find(refOf(grant, token)), { grant, token, spent: null })
      assert.equal((await grants.listTokens({ userId: grant.userId ?? '', limit: 0 })).total, 3)
      assert.equal((await grants.listTokens({ userId: lie.userId, limit: 0 })).total, 0)
      assert.equal((await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total, 3)
    },
  ),

  defineCase('grants: an addition prolongs its grant to the longest of its tokens', async ({ clock, grants }) => {
    const { access, grant, refresh } = await withGrant(grants)
    const late = newToken('access', { expiresAt: clock.now() + 900_000 })
    assert.equal(await grants.add({ grant, token: refresh }, [late]), 'added')
    clock.moveTo(Math.max(access.expiresAt, refresh.expiresAt))
    assert.deepEqual(await grants.find(refOf(grant, late)), { grant, token: late, spent: null })
    assert.equal((await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total, 1)
    assert.equal(await grants.create({ ...grant, userId: 'somebody else' }, [newToken('access')]), false, 'the grant lives')
    assert.equal(await grants.revoke(grant.id), true, 'the grant lives')
  }),

  defineCase('grants: many concurrent additions all add, and those of the same token add it once', async ({ grants, race }) => {
    for (const _ of times(3)) {
      const { grant, refresh } = await withGrant(grants)
      const same = newToken('access')
      const tokens = times(PARALLEL, index => (index % 2 === 0 ? same : newToken('access')))
      const answers = await race(({ grants }, index) => grants.add({ grant, token: refresh }, tokens.slice(index, index + 1)))
      const added = answers.filter(answer => answer === 'added').length
      assert.equal(added, PARALLEL, `${added} of ${PARALLEL} concurrent \`add\` said 'added', instead of all`)
      const found = await Promise.all(tokens.map(token => grants.find(refOf(grant, token))))
      const lost = found.filter(one => one === undefined).length
      assert.equal(lost, 0, `${lost} of ${PARALLEL} tokens that were told 'added' are not there: ${ONE_STEP}`)
      assert.equal((await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total, 2 + 1 + PARALLEL / 2)
    }
  }),

  defineCase('grants: a rotation beside concurrent additions leaves what was told added, and nothing else', async kit => {
    const { grants, race } = kit
    for (const _ of times(5)) {
      const { grant, refresh } = await withGrant(grants)
      const tokens = times(PARALLEL, () => newToken('access'))
      const successor = newToken('refresh')
      const answers = await race<'added' | 'missing' | 'rotated' | 'reused'>(({ grants }, index) =>
        index === 7
          ? grants.rotate({ grant, token: refresh }, [successor], 'replay')
          : grants.add({ grant, token: refresh }, tokens.slice(index, index + 1)),
      )
      assert.equal(answers[7], 'rotated')
      const found = await Promise.all(tokens.map(token => grants.find(refOf(grant, token))))
      for (const [index, one] of found.entries())
        assert.equal(
          one !== undefined,
          answers[index] === 'added',
          `\`add\` said ${answers[index]}, and ${one ? 'the token is there' : 'it is not'}: ${ONE_STEP}`,
        )
      assert.equal(await grants.add({ grant, token: refresh }, [newToken('access')]), 'missing', 'the token is spent')
      assert.ok(await grants.find(refOf(grant, successor)), `the successor of the rotation was lost: ${ONE_STEP}`)
    }
  }),
]

import assert from 'node:assert/strict'
import type { ConsentOwner } from '../store/store.ts'
import { defineCase, type StoreCase } from './case.ts'
import { withGrant } from './grant-cases.ts'
import { assertOwn, lookalikeGroups, lookalikes, shown } from './lookalikes.ts'
import { newApp, newAppId, newCode, newConsent, newCredential, newGrant, newId, newToken, refOf } from './records.ts'

/** Ids may be any text, and a store must never confuse two of them. */
export const idCases: readonly StoreCase[] = [
  defineCase('ids: an app’s organisation and creator are distinguished from every other', async ({ apps }) => {
    const ids = lookalikes()
    const [orgId, creator] = [newId(), newId()]
    for (const [index, id] of ids.entries()) {
      await apps.save(newApp({ orgId: id, createdBy: creator, createdAt: index }))
      await apps.save(newApp({ orgId, createdBy: id, createdAt: index }))
    }
    for (const [index, id] of ids.entries()) {
      const ofOrg = await apps.list({ orgId: id, offset: 0, limit: 9 })
      assert.equal(ofOrg.total, 1, `the organisation ${shown(id)} has one app`)
      assertOwn(ids, index, ofOrg.items[0]?.createdAt, 'the organisation')
      const ofCreator = await apps.list({ orgId, createdBy: id, offset: 0, limit: 9 })
      assert.equal(ofCreator.total, 1, `the creator ${shown(id)} has one app`)
      assertOwn(ids, index, ofCreator.items[0]?.createdAt, 'the creator')
    }
  }),

  defineCase('ids: a one-time entry is distinguished from every other', async ({ oneTime }) => {
    const ids = lookalikes()
    for (const kind of ['form', 'account_code'] as const) {
      for (const [index, id] of ids.entries()) {
        const common = { id, expiresAt: Date.now() + 600_000 }
        if (kind === 'form') await oneTime.put({ ...common, kind, data: { userId: `${index}`, session: null } })
        else {
          const claimed = await oneTime.claim({ ...common, kind, data: { provider: `${index}` } }, newId())
          assert.ok(claimed, `the one-time id ${shown(id)} was taken for one that is there`)
        }
      }
    }
    for (const [index, id] of ids.entries()) {
      assertOwn(ids, index, Number((await oneTime.peek('form', id))?.data.userId), 'the one-time id')
      const consumed = await oneTime.consume('form', id, newId())
      assertOwn(ids, index, Number(consumed?.entry.data.userId), 'the one-time id')
      assert.equal(consumed?.first, true, `the one-time id ${shown(id)} was taken for one that was consumed`)
      assertOwn(ids, index, Number((await oneTime.peek('account_code', id))?.data.provider), 'the one-time id')
    }
  }),

  defineCase('ids: an attempt is distinguished from every other, in `consume`, `claim` and `forget`', async ({ oneTime }) => {
    for (const [first, ...others] of lookalikeGroups()) {
      const [put, claimed] = [newCode(), newCode()]
      await oneTime.put(put)
      assert.equal((await oneTime.consume('code', put.id, first))?.first, true)
      assert.equal(await oneTime.claim(claimed, first), true)
      for (const other of others) {
        const taken = `the attempt ${shown(other)} was taken for ${shown(first)}`
        assert.equal((await oneTime.consume('code', put.id, other))?.first, false, `\`consume\`: ${taken}`)
        assert.equal(await oneTime.claim(claimed, other), false, `\`claim\`: ${taken}`)
        await oneTime.forget('code', claimed.id, other)
        assert.ok(await oneTime.peek('code', claimed.id), `\`forget\`: ${taken}`)
      }
      assert.equal((await oneTime.consume('code', put.id, first))?.first, true, `the attempt ${shown(first)} is not known again`)
      assert.equal(await oneTime.claim(claimed, first), true, `the attempt ${shown(first)} is not known again`)
    }
  }),

  defineCase('ids: a grant, and a token of it, is distinguished from every other', async ({ grants }) => {
    const ids = lookalikes()
    const appId = newAppId()
    const grant = newGrant()
    const tokens = ids.map((id, index) => newToken('access', { id, issuedAt: index }))
    assert.equal(await grants.create(grant, tokens), true)
    const token = newToken('access')
    for (const [index, id] of ids.entries()) {
      const created = await grants.create(newGrant({ id: appId + id, appId, epoch: index }), [token])
      assert.equal(created, true, `the grant ${shown(id)} was taken for one that is there`)
    }
    for (const [index, id] of ids.entries()) {
      assertOwn(ids, index, (await grants.find({ grantId: grant.id, tokenId: id }))?.token.issuedAt, 'the token')
      assertOwn(ids, index, (await grants.find({ grantId: appId + id, tokenId: token.id }))?.grant.epoch, 'the grant')
    }
    for (const [index, id] of ids.entries()) {
      assert.equal(
        await grants.revokeToken({ grantId: grant.id, tokenId: id }),
        true,
        `the token ${shown(id)} is gone with another`,
      )
      assert.equal(await grants.revoke(appId + id), true, `the grant ${shown(id)} is gone with another`)
      const next = ids[index + 1]
      if (next !== undefined)
        assert.ok(await grants.find({ grantId: appId + next, tokenId: token.id }), `${shown(next)} is gone with another`)
    }
  }),

  defineCase('ids: the user and the organisation of a grant are distinguished from every other', async ({ grants }) => {
    const ids = lookalikes()
    for (const [index, id] of ids.entries()) {
      await grants.create(newGrant({ userId: id }), [newToken('access', { issuedAt: index })])
      await grants.create(newGrant({ orgId: id }), [newToken('access')])
    }
    for (const [index, id] of ids.entries()) {
      const { items, total } = await grants.listTokens({ userId: id, limit: 9 })
      assert.equal(total, 1, `the user ${shown(id)} has one token`)
      assertOwn(ids, index, items[0]?.token.issuedAt, 'the user')
    }
    for (const id of ids) {
      assert.equal(await grants.revokeMany({ userId: id }), 1, `the user ${shown(id)} was taken for another`)
      assert.equal(await grants.revokeMany({ orgId: id }), 1, `the organisation ${shown(id)} was taken for another`)
    }
  }),

  defineCase('ids: the replay of a rotation is distinguished from every other', async ({ grants }) => {
    for (const [first, ...others] of lookalikeGroups().map(group => group.filter(id => id.length <= 8192))) {
      if (first === undefined) continue
      const { grant, refresh } = await withGrant(grants)
      const rotate = (replay: string) => grants.rotate({ grant, token: refresh }, [newToken('refresh')], replay)
      assert.equal(await rotate(first), 'rotated')
      for (const other of others)
        assert.equal(await rotate(other), 'reused', `the replay ${shown(other)} was taken for ${shown(first)}`)
      assert.equal((await grants.find(refOf(grant, refresh)))?.spent?.replay, first)
    }
  }),

  defineCase(
    'ids: the owner and the app of a consent are distinguished from every other, read or listed',
    async ({ consents }) => {
      const ids = lookalikes()
      const appId = newAppId()
      const one = { userId: newId() }
      const owners: readonly ((id: string) => ConsentOwner)[] = [id => ({ userId: id }), id => ({ orgId: id })]
      for (const ownerOf of owners) {
        for (const [index, id] of ids.entries()) {
          const saved = await consents.save(newConsent({ owner: ownerOf(id), appId, grantedAt: index }))
          assert.equal(saved, true, `the owner ${shown(id)} was taken for one that is there`)
        }
        for (const [index, id] of ids.entries()) {
          assertOwn(ids, index, (await consents.get(ownerOf(id), appId))?.grantedAt, 'the owner')
          const { items } = await consents.list(ownerOf(id), { limit: 9 })
          assert.equal(items.length, 1, `the owner ${shown(id)} has one consent`)
          assertOwn(ids, index, items[0]?.grantedAt, 'the owner')
        }
      }
      for (const [index, id] of ids.entries()) {
        const saved = await consents.save(newConsent({ owner: one, appId: id, grantedAt: index }))
        assert.equal(saved, true, `the app ${shown(id)} was taken for one that is there`)
      }
      for (const [index, id] of ids.entries()) assertOwn(ids, index, (await consents.get(one, id))?.grantedAt, 'the app')
    },
  ),

  defineCase('ids: the connector and the owner of a credential are distinguished from every other', async ({ credentials }) => {
    const ids = lookalikes()
    const own = newId()
    for (const [index, id] of ids.entries()) {
      await credentials.save(newCredential({ connectorId: id, ownerId: own, leaseUntil: index }))
      await credentials.save(newCredential({ connectorId: own, ownerId: id, leaseUntil: index }))
    }
    for (const [index, id] of ids.entries()) {
      assertOwn(ids, index, (await credentials.get(id, own))?.leaseUntil, 'the connector')
      assertOwn(ids, index, (await credentials.get(own, id))?.leaseUntil, 'the owner')
    }
    for (const id of ids) assert.equal(await credentials.delete(id, own), true, `the connector ${shown(id)} is gone with another`)
  }),

  defineCase('ids: two side by side are never run together', async ({ consents, credentials }) => {
    const [a, b] = [newId(), newId()]
    const pairs = [
      [`${a}:${b}`, 'c'],
      [a, `${b}:c`],
      [`${a}${b}`, 'c'],
      [a, `${b}c`],
      [`${a}*`, 'c'],
      [`${a}{${b}}`, '}'],
      [`${a}\0`, '$where'],
      [a, '\0$where'],
      [a, '.*'],
      [`${a}","${b}`, 'c'],
      [a, `${b}","c`],
    ] as const
    for (const [index, [first, second]] of pairs.entries()) {
      await consents.save(newConsent({ owner: { userId: first }, appId: second, grantedAt: index }))
      await credentials.save(newCredential({ connectorId: first, ownerId: second, leaseUntil: index }))
    }
    const names = pairs.map(pair => pair.join(' beside '))
    for (const [index, [first, second]] of pairs.entries()) {
      assertOwn(names, index, (await consents.get({ userId: first }, second))?.grantedAt, 'the consent of')
      assertOwn(names, index, (await credentials.get(first, second))?.leaseUntil, 'the credential of')
    }
  }),
]

import assert from 'node:assert/strict'
import type { AppOrigin, AppStatus, Consent, OneTime, OneTimeKind, Token } from '../store/store.ts'
import { defineCase, type StoreCase } from './case.ts'
import { withGrant } from './grant-cases.ts'
import { newApp, newCode, newConsent, newCredential, newGrant, newId, newToken, refOf } from './records.ts'

/** A store must keep fields and values that it does not know: later versions of authmount add some. */
export const unknownCases: readonly StoreCase[] = [
  defineCase('unknown: every field of an app is kept, its secrets’ and keys’ too, read or listed', async ({ apps }) => {
    const secret = { hash: newId(), createdAt: 1, usableUntil: null, ...UNKNOWN }
    const app = newApp({ secrets: [secret], keys: { jwksUri: 'https://app.example/keys', ...UNKNOWN }, ...UNKNOWN })
    for (const version of [1, 2]) {
      const saved = { ...app, version }
      assert.equal(await apps.save(saved), true)
      assert.deepEqual(await apps.get(app.id), saved)
      assert.deepEqual((await apps.list({ orgId: app.orgId, offset: 0, limit: 1 })).items, [saved])
      assert.equal(await apps.save(saved), true, 'the same write sent twice')
      assert.equal(await apps.save({ ...saved, ...OTHER }), false, 'it differs in a field the store does not know')
    }
  }),

  defineCase(
    'unknown: a new status, origin, method, grant type of an app is kept, and a list filters by it',
    async ({ apps }) => {
      const [status, origin] = ['resting' as AppStatus, 'federated' as AppOrigin]
      const app = newApp({ status, origin, authMethod: 'attestation', grantTypes: ['urn:example:grant'] })
      const { orgId } = app
      assert.equal(await apps.save(app), true)
      assert.deepEqual(await apps.get(app.id), app)
      for (const query of [{}, { status }, { origin }, { status, origin, search: 'contract' }])
        assert.deepEqual(
          await apps.list({ orgId, offset: 0, limit: 5, ...query }),
          { items: [app], total: 1 },
          'only `deleted` is left out',
        )
      assert.equal((await apps.list({ orgId, status: 'active', offset: 0, limit: 5 })).total, 0)
    },
  ),

  defineCase('unknown: a one-time entry of a new kind, and every field of one, is kept', async ({ clock, oneTime }) => {
    const kind = 'device_code' as OneTimeKind
    const entry = newCode({ ...UNKNOWN, data: { ...newCode().data, ...UNKNOWN } })
    const unheardOf = {
      kind,
      id: entry.id,
      expiresAt: entry.expiresAt,
      data: { userCode: 'BDWP-HQPK', ...UNKNOWN },
    } as unknown as OneTime
    const attempt = newId()
    for (const one of [entry, unheardOf]) {
      await oneTime.put(one)
      assert.deepEqual(await oneTime.peek(one.kind, one.id), one)
      assert.deepEqual(await oneTime.consume(one.kind, one.id, attempt), { entry: one, first: true })
      const claimed = { ...one, id: newId() }
      assert.equal(await oneTime.claim(claimed, attempt), true)
      assert.deepEqual(await oneTime.peek(claimed.kind, claimed.id), claimed)
      assert.deepEqual(await oneTime.consume(claimed.kind, claimed.id, attempt), { entry: claimed, first: true })
      await oneTime.forget(claimed.kind, claimed.id, attempt)
      assert.equal(await oneTime.peek(claimed.kind, claimed.id), undefined)
    }
    assert.deepEqual(await oneTime.peek('code', entry.id), entry)
    clock.moveTo(entry.expiresAt)
    assert.equal(await oneTime.peek(kind, entry.id), undefined)
  }),

  defineCase(
    'unknown: every field of a grant and its tokens is kept through all that finds, adds and lists them',
    async ({ grants }) => {
      const grant = newGrant({ ...UNKNOWN, context: { nonce: 'n', ...UNKNOWN } })
      const made = (kind: Token['kind']) => newToken(kind, { claims: { ...UNKNOWN }, ...UNKNOWN })
      const [access, refresh, added, next] = [made('access'), made('refresh'), made('access'), made('refresh')]
      const find = async (token: Token) => {
        const found = await grants.find(refOf(grant, token))
        return found && { grant: found.grant, token: found.token }
      }
      await grants.create(grant, [access, refresh])
      await grants.add({ grant, token: refresh }, [added])
      assert.equal(await grants.add({ grant, token: refresh }, [added]), 'added', 'the same token, sent again')
      await assert.rejects(
        grants.add({ grant, token: refresh }, [{ ...added, ...OTHER }]),
        'it differs in a field the store does not know',
      )
      await grants.rotate({ grant, token: refresh }, [next], 'replay')
      for (const token of [access, refresh, added, next]) assert.deepEqual(await find(token), { grant, token })
      const { items } = await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 9 })
      const byId = (a: { token: Token }, b: { token: Token }) => (a.token.id < b.token.id ? -1 : 1)
      const expected = [access, added, next].map(token => ({ grant, token })).toSorted(byId)
      assert.deepEqual(items.toSorted(byId), expected, 'listed by app')
      assert.deepEqual(
        (await grants.listTokens({ userId: grant.userId ?? '', limit: 9 })).items.toSorted(byId),
        expected,
        'listed by user',
      )
      assert.equal(await grants.create({ ...grant, ...OTHER }, [access]), false, 'it differs in a field the store does not know')
    },
  ),

  defineCase('unknown: a token of a new kind is kept, found and listed, and is no refresh token', async ({ grants }) => {
    const { grant, refresh } = await withGrant(grants)
    const token = newToken('session' as Token['kind'])
    assert.equal(await grants.add({ grant, token: refresh }, [token]), 'added')
    assert.deepEqual(await grants.find(refOf(grant, token)), { grant, token, spent: null })
    assert.equal((await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total, 3)
    assert.equal(await grants.rotate({ grant, token }, [newToken('refresh')], 'replay'), 'missing')
    assert.equal(await grants.revokeToken(refOf(grant, token)), true)
  }),

  defineCase(
    'unknown: every field of a consent and its owner, and a new state, is kept, read or listed',
    async ({ consents }) => {
      for (const owner of [
        { userId: newId(), ...UNKNOWN },
        { orgId: newId(), ...UNKNOWN },
      ]) {
        const consent = newConsent({ owner, state: 'postponed' as Exclude<Consent['state'], undefined>, ...UNKNOWN })
        for (const version of [1, 2]) {
          const saved = { ...consent, version }
          assert.equal(await consents.save(saved), true)
          assert.deepEqual(await consents.get(owner, consent.appId), saved)
          assert.deepEqual((await consents.list(owner, { limit: 1 })).items, [saved])
          assert.equal(await consents.save({ ...saved, ...OTHER }), false, 'it differs in a field the store does not know')
        }
        const plain = 'userId' in owner ? { userId: owner.userId } : { orgId: owner.orgId }
        assert.equal((await consents.get(plain, consent.appId))?.version, 2, 'an owner is found by the id alone')
      }
    },
  ),

  defineCase('unknown: every field of a credential and of the key ring is kept', async ({ credentials, keys }) => {
    const credential = { ...newCredential(), ...UNKNOWN }
    for (const version of [1, 2]) {
      await credentials.save({ ...credential, version })
      assert.deepEqual(await credentials.get(credential.connectorId, credential.ownerId), { ...credential, version })
    }
    const ring = { sealed: newId(), version: ((await keys.get())?.version ?? 0) + 1, ...UNKNOWN }
    assert.equal(await keys.save(ring), true)
    assert.deepEqual(await keys.get(), ring)
  }),
]

/** Fields of a later version, nested, with names that are special to databases. */
const UNKNOWN = {
  unknown: 'kept',
  unknownNested: { list: [{ 'a.b': null, $set: [[], {}] }, 1.5, false, ''], 'é\0': -1, constructor: 'c', expires_at: 0 },
}
const OTHER = { unknown: 'other' }

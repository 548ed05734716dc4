import assert from 'node:assert/strict'
import type { Consent, ConsentOwner, ConsentStore } from '../store/store.ts'
import { assertOneWon, defineCase, ONE_STEP, type StoreCase, times } from './case.ts'
import { newConsent, newId } from './records.ts'

export const consentCases: readonly StoreCase[] = [
  defineCase('consents: one per owner and app; what is saved is what is read', async ({ consents }) => {
    for (const owner of [{ userId: newId() }, { orgId: newId() }]) {
      const dates = { allowedAt: { b: 900 }, declined: { c: 1000 } }
      const consent = newConsent({ owner, scopes: ['a', 'b', '\0'], state: 'allowed', epoch: 3, ...dates })
      assert.equal(await consents.get(owner, consent.appId), undefined)
      assert.equal(await consents.save(consent), true)
      assert.deepEqual(await consents.get(owner, consent.appId), consent)
      const other = newConsent({ owner })
      await consents.save(other)
      assert.deepEqual(await consents.get(owner, consent.appId), consent)
      assert.deepEqual(await all(consents, owner), byApp([consent, other]))
    }
    assert.deepEqual(await consents.list({ userId: newId() }, { limit: 10 }), { items: [], next: null })
  }),

  defineCase('consents: a write needs the version before it, and may be sent twice', async ({ consents }) => {
    const consent = newConsent()
    const { appId, owner } = consent
    assert.equal(await consents.save({ ...consent, version: 2 }), false, 'version 2 of a consent that does not exist')
    assert.equal(await consents.get(owner, appId), undefined)
    assert.deepEqual([await consents.save(consent), await consents.save(consent)], [true, true], 'the same write, sent twice')
    assert.equal(await consents.save({ ...consent, scopes: ['other'] }), false, 'another version 1')
    assert.equal(await consents.save({ ...consent, version: 3 }), false, 'version 3 after version 1')
    assert.deepEqual(await consents.get(owner, appId), consent)
    const next = { ...consent, scopes: ['next'], version: 2 }
    assert.deepEqual([await consents.save(next), await consents.save(next)], [true, true], 'the same write, sent twice')
    assert.equal(await consents.save(consent), false, 'version 1 once more, after version 2')
    assert.deepEqual(await consents.get(owner, appId), next)
  }),

  defineCase('consents: a user and an organisation never meet, even with the same text', async ({ consents }) => {
    const text = newId()
    const ofUser = newConsent({ owner: { userId: text }, scopes: ['user'] })
    const ofOrg = newConsent({ owner: { orgId: text }, appId: ofUser.appId, scopes: ['org'] })
    await consents.save(ofUser)
    assert.equal(await consents.get(ofOrg.owner, ofOrg.appId), undefined, 'an organisation has what a user agreed to')
    assert.deepEqual(await all(consents, ofOrg.owner), [], 'an organisation is listed what a user agreed to')
    assert.equal(await consents.save({ ...ofOrg, version: 2 }), false, 'an organisation’s version follows a user’s')
    assert.equal(await consents.save(ofOrg), true)
    for (const consent of [ofUser, ofOrg]) {
      assert.deepEqual(await consents.get(consent.owner, consent.appId), consent)
      assert.deepEqual(await all(consents, consent.owner), [consent])
    }
  }),

  defineCase('consents: a withdrawn one is read but not listed, and the next version follows it', async ({ clock, consents }) => {
    const consent = newConsent()
    const { appId, owner } = consent
    await consents.save(consent)
    const withdrawn = { ...consent, scopes: [], expiresAt: clock.now() + 600_000, version: 2 }
    assert.equal(await consents.save(withdrawn), true)
    assert.deepEqual(await consents.get(owner, appId), withdrawn)
    assert.deepEqual(await all(consents, owner), [])
    assert.equal(await consents.save({ ...consent, scopes: ['late'] }), false, 'an answer that was under way, as version 1')
    assert.equal(
      await consents.save({ ...consent, scopes: ['late'], version: 2 }),
      false,
      'an answer that was under way, as version 2',
    )
    const again = { ...consent, scopes: ['again'], version: 3 }
    assert.equal(await consents.save(again), true)
    clock.moveTo(clock.now() + 600_000)
    assert.deepEqual(await consents.get(owner, appId), again, 'the new version does not expire with the withdrawal')
    assert.deepEqual(await all(consents, owner), [again])
    const unheardOf = newConsent({ scopes: [], expiresAt: clock.now() + 600_000 })
    assert.equal(await consents.save(unheardOf), true, 'withdrawn before it was given')
    assert.deepEqual(await consents.get(unheardOf.owner, unheardOf.appId), unheardOf)
  }),

  defineCase(
    'consents: an expired one is absent, from its very instant, and counts as version 0',
    async ({ clock, consents }) => {
      const begun = clock.now()
      const consent = newConsent({ expiresAt: begun + 600_000 })
      const { appId, owner } = consent
      const withdrawn = newConsent({ owner, scopes: [], expiresAt: begun + 600_000 })
      await consents.save(consent)
      await consents.save(withdrawn)
      clock.moveTo(begun + 599_999)
      assert.deepEqual(await consents.get(owner, appId), consent, 'a millisecond before')
      assert.deepEqual(await consents.get(owner, withdrawn.appId), withdrawn, 'a millisecond before')
      assert.deepEqual(await all(consents, owner), [consent], 'a millisecond before')
      assert.equal(await consents.save({ ...withdrawn, scopes: ['a'] }), false, 'a millisecond before')
      clock.moveTo(begun + 600_000)
      for (const { appId } of [consent, withdrawn]) assert.equal(await consents.get(owner, appId), undefined, 'at the instant')
      assert.deepEqual(await all(consents, owner), [], 'at the instant')
      for (const one of [consent, withdrawn]) {
        const next = newConsent({ owner, appId: one.appId, scopes: ['next'] })
        assert.equal(await consents.save({ ...next, version: 2 }), false, 'an expired record counts as version 0')
        assert.equal(await consents.save(next), true, 'an expired record counts as version 0')
        assert.deepEqual(await consents.get(owner, one.appId), next)
      }
      assert.equal((await all(consents, owner)).length, 2)
    },
  ),

  defineCase('consents: pages neither repeat nor skip while consents are added and withdrawn', async ({ clock, consents }) => {
    for (const owner of [{ userId: newId() }, { orgId: newId() }]) {
      const made = times(11, index => newConsent({ owner, grantedAt: index % 3 }))
      for (const consent of made) await consents.save(consent)
      const withdrawn = made.slice(0, 4)
      const kept = made.slice(4)
      for (const consent of withdrawn)
        await consents.save({ ...consent, scopes: [], expiresAt: clock.now() + 600_000, version: 2 })
      assert.deepEqual(await all(consents, owner), byApp(kept))
      for (const limit of [1, 2, 7, 8]) assert.deepEqual(await all(consents, owner, limit), byApp(kept), `pages of ${limit}`)
      const seen = await pages(consents, owner, 3, async page => {
        await consents.save(newConsent({ owner }))
        const changed = kept[page]
        if (changed) await consents.save({ ...changed, grantedAt: 999, version: 2 })
      })
      const known = new Set(kept.map(({ appId }) => appId))
      const expected = [...known].toSorted()
      const ids = seen.map(({ appId }) => appId)
      assert.deepEqual(ids.filter(id => known.has(id)).toSorted(), expected, 'the consents that were there before the first page')
      assert.equal(new Set(ids).size, ids.length, 'a consent is on two pages')
    }
  }),

  defineCase('consents: of many concurrent savers of one version, one succeeds', async ({ consents, race }) => {
    for (const _ of times(3)) {
      const consent = newConsent()
      for (const version of [1, 2]) {
        const answers = await race(({ consents }, index) => consents.save({ ...consent, grantedAt: index, version }), 40)
        assertOneWon(answers, `\`consents.save\` of version ${version} said true`)
        const stored = await consents.get(consent.owner, consent.appId)
        assert.equal(stored?.grantedAt, answers.indexOf(true), 'the stored record is not that of the call that won')
      }
    }
  }),

  defineCase('consents: of many concurrent savers over an expired one, one succeeds', async ({ clock, consents, race }) => {
    for (const _ of times(3)) {
      const consent = newConsent({ scopes: [], expiresAt: clock.now() + 600_000 })
      await consents.save(consent)
      clock.moveTo(clock.now() + 600_000)
      const { expiresAt: _, ...next } = { ...consent, scopes: ['next'] }
      assertOneWon(
        await race(({ consents }, index) => consents.save({ ...next, grantedAt: index }), 40),
        '`consents.save` of version 1 over an expired record said true',
      )
    }
  }),

  defineCase('consents: of forty concurrent answers that each read and save until they succeed, none is lost', async kit => {
    const { appId, owner } = newConsent()
    await kit.race(async ({ consents }, index) => {
      for (let tries = 0; tries < 100; tries++) {
        const known = await consents.get(owner, appId)
        const scopes = [...(known?.scopes ?? []), `scope ${index}`]
        if (await consents.save(newConsent({ appId, owner, scopes, version: (known?.version ?? 0) + 1 }))) return
      }
      assert.fail('an answer was refused a hundred times, while forty were under way')
    }, 40)
    const stored = await kit.consents.get(owner, appId)
    assert.deepEqual(
      stored?.scopes.toSorted(),
      times(40, index => `scope ${index}`).toSorted(),
      `an answer was lost: ${ONE_STEP}`,
    )
    assert.equal(stored?.version, 40)
  }),
]

/** Lists all consents of an owner, sorted by the id of the app. */
async function all(consents: ConsentStore, owner: ConsentOwner, limit = 100): Promise<readonly Consent[]> {
  return byApp(await pages(consents, owner, limit))
}

/** Reads all pages. `between` is called after each. */
async function pages(
  consents: ConsentStore,
  owner: ConsentOwner,
  limit: number,
  between: (page: number) => Promise<unknown> = async () => {},
): Promise<readonly Consent[]> {
  const seen: Consent[] = []
  let after: string | null | undefined
  for (let page = 0; after !== null; page++) {
    assert.ok(page < 100, 'pages go on without end')
    const { items, next } = await consents.list(owner, { limit, ...(after === undefined ? {} : { after }) })
    assert.ok(items.length <= limit, `a page of at most ${limit} holds ${items.length}`)
    seen.push(...items)
    after = next
    await between(page)
  }
  return seen
}

function byApp(consents: readonly Consent[]): readonly Consent[] {
  return consents.toSorted((a, b) => (a.appId < b.appId ? -1 : 1))
}

import assert from 'node:assert/strict'
import type { App, AppQuery, AppStore } from '../store/store.ts'
import { defineCase, type StoreCase, times } from './case.ts'
import { newApp, newId } from './records.ts'

export const appListCases: readonly StoreCase[] = [
  defineCase('apps: a list is of one organisation, newest first, paged, with the total', async ({ apps }) => {
    const orgId = newId()
    const made = times(5, index => newApp({ orgId, createdAt: 1000 + index, createdBy: index < 2 ? 'first' : 'second' }))
    for (const app of [...made, newApp()]) await apps.save(app)
    const newest = made.toReversed()
    const listed = listing(apps, { orgId })
    assert.deepEqual(await apps.list({ orgId, offset: 0, limit: 10 }), { items: newest, total: 5 })
    assert.deepEqual(await listed({ offset: 1, limit: 2 }), names(newest.slice(1, 3), 5))
    assert.deepEqual(await listed({ offset: 9 }), names([], 5))
    assert.deepEqual(await listed({ limit: 0 }), names([], 5))
    assert.deepEqual(await listed({ createdBy: 'first' }), names(newest.slice(3), 2))
    assert.deepEqual(await listed({ createdBy: 'first', offset: 1, limit: 1 }), names(newest.slice(4), 2))
  }),

  defineCase(
    'apps: those of one millisecond are in descending order of id, page by page, whenever they were written',
    async kit => {
      const { apps } = kit
      const orgId = newId()
      const made = times(6, () => newApp({ orgId })).toSorted((a, b) => (a.id < b.id ? 1 : -1))
      // Neither in the order of their ids nor against it.
      for (const app of [1, 3, 0, 5, 2, 4].flatMap(index => made[index] ?? [])) await apps.save(app)
      for (const app of [3, 0].flatMap(index => made[index] ?? [])) await apps.save({ ...app, version: 2 })
      const pages: string[] = []
      for (const offset of times(6)) pages.push(...(await apps.list({ orgId, offset, limit: 1 })).items.map(({ id }) => id))
      assert.deepEqual(pages, ids(made))
      assert.deepEqual(
        ids((await apps.list({ orgId, offset: 0, limit: 6, search: 'contract' })).items),
        ids(made),
        'with a search',
      )
    },
  ),

  defineCase('apps: a list leaves out deleted apps unless it asks for them, whatever else it asks for', async ({ apps }) => {
    const orgId = newId()
    const statuses = ['active', 'suspended', 'deleted'] as const
    const [active, suspended, deleted] = statuses.map((_, index) => newApp({ orgId, createdBy: 'me', createdAt: 9 - index })) as [
      App,
      App,
      App,
    ]
    for (const [index, app] of [active, suspended, deleted].entries()) {
      await apps.save(app)
      await apps.save({ ...app, status: statuses[index] ?? 'active', version: 2 })
    }
    for (const query of [{}, { createdBy: 'me' }, { origin: 'host' as const }, { search: 'CONTRACT' }]) {
      const listed = listing(apps, { orgId, ...query })
      assert.deepEqual(await listed({}), names([active, suspended], 2))
      assert.deepEqual(await listed({ status: 'active' }), names([active], 1))
      assert.deepEqual(await listed({ status: 'suspended' }), names([suspended], 1))
      assert.deepEqual(await listed({ status: 'deleted' }), names([deleted], 1))
    }
  }),

  defineCase('apps: filters narrow each other, and the total counts what they leave', async ({ apps }) => {
    const orgId = newId()
    const made = times(16, index =>
      newApp({
        orgId,
        createdAt: 1000 - index,
        createdBy: index & 1 ? 'anna' : 'berta',
        origin: index & 2 ? 'registered' : 'host',
        status: index & 4 ? 'suspended' : 'active',
        name: index & 8 ? 'Kiosk' : 'Desk',
      }),
    )
    for (const app of made) await apps.save(app)
    const listed = listing(apps, { orgId })
    const left = (wanted: Partial<App>, query: Partial<AppQuery>) => {
      const found = made.filter(app => Object.entries(wanted).every(([name, value]) => app[name as keyof App] === value))
      return assertListed(listed(query), names(found, found.length), query)
    }
    await left({ origin: 'registered' }, { origin: 'registered' })
    await left({ origin: 'host', createdBy: 'anna' }, { origin: 'host', createdBy: 'anna' })
    await left({ origin: 'host', status: 'suspended' }, { origin: 'host', status: 'suspended' })
    await left({ name: 'Kiosk', createdBy: 'berta' }, { search: 'kio', createdBy: 'berta' })
    const all = { createdBy: 'anna', origin: 'registered', status: 'active' } as const
    await left({ ...all, name: 'Desk' }, { ...all, search: 'esk' })
    await left({ origin: 'metadata' }, { origin: 'metadata' })
    const page = await apps.list({ orgId, origin: 'host', search: 'desk', offset: 1, limit: 2 })
    const found = made.filter(({ name, origin }) => origin === 'host' && name === 'Desk')
    assert.deepEqual(page, { items: found.slice(1, 3), total: found.length })
  }),

  defineCase('apps: those that nobody registered for an organisation are listed as of the empty one', async ({ apps }) => {
    const app = newApp({ orgId: '' })
    await apps.save(app)
    assert.deepEqual(await apps.list({ orgId: '', createdBy: app.createdBy, offset: 0, limit: 5 }), { items: [app], total: 1 })
  }),

  defineCase('apps: a search is for a literal part of the name, in any case', async ({ apps }) => {
    const find = await searching(apps, ['Alpha (beta)', 'alphabet', 'Gamma.*', '100%_\\', 'nul\0nul'])
    assert.deepEqual(await find('ALPHA'), ['Alpha (beta)', 'alphabet'])
    assert.deepEqual(await find('(beta)'), ['Alpha (beta)'])
    assert.deepEqual(await find('.*'), ['Gamma.*'])
    assert.deepEqual(await find('%_\\'), ['100%_\\'])
    assert.deepEqual(await find('l\0N'), ['nul\0nul'])
    assert.deepEqual(await find('(a+)+$'), [])
    assert.deepEqual(await find('omega'), [])
    assert.equal((await find('')).length, 5)
  }),

  defineCase('apps: a search folds case as toLowerCase does, and accents count', async ({ apps }) => {
    const find = await searching(apps, ['ÖLMÜHLE', 'Olmuhle', 'Café', 'Cafe\u0301', 'Cafe', 'İzmir', 'Straße'])
    assert.deepEqual(await find('ölmü'), ['ÖLMÜHLE'])
    assert.deepEqual(await find('OLMU'), ['Olmuhle'])
    assert.deepEqual(await find('CAFÉ'), ['Café'])
    assert.deepEqual(await find('CAFE'), ['Cafe', 'Cafe\u0301'])
    assert.deepEqual(await find('i\u0307Z'), ['İzmir'])
    assert.deepEqual(await find('iz'), [])
    assert.deepEqual(await find('strasse'), [])
  }),
]

type Listed = readonly [ids: readonly string[], total: number]

function listing(
  apps: AppStore,
  fixed: Pick<AppQuery, 'orgId'> & Partial<AppQuery>,
): (query: Partial<AppQuery>) => Promise<Listed> {
  return async query => {
    const { items, total } = await apps.list({ offset: 0, limit: 20, ...fixed, ...query })
    return names(items, total)
  }
}

async function assertListed(listed: Promise<Listed>, expected: Listed, query: Partial<AppQuery>): Promise<void> {
  assert.deepEqual(await listed, expected, `a list with the filters ${JSON.stringify(query)} is not what they leave`)
}

async function searching(apps: AppStore, stored: readonly string[]): Promise<(search: string) => Promise<readonly string[]>> {
  const orgId = newId()
  for (const name of stored) await apps.save(newApp({ orgId, name, description: 'omega' }))
  return async search => (await apps.list({ orgId, offset: 0, limit: 10, search })).items.map(({ name }) => name).toSorted()
}

function names(apps: readonly App[], total: number): Listed {
  return [ids(apps), total]
}

function ids(apps: readonly App[]): readonly string[] {
  return apps.map(({ id }) => id)
}

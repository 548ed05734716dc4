/** The contract is worth what it catches: every one of these broken stores must fail the case that is named for it. */
import { AssertionError } from 'node:assert/strict'
import { memoryStore } from 'authmount/stores/memory'
import { storeCases } from 'authmount/testing'
import t from 'tap'
import { addMutants } from './mutants/added-tokens.ts'
import { appMutants } from './mutants/apps.ts'
import { consentMutants } from './mutants/consents.ts'
import { grantMutants, rotateMutants } from './mutants/grants.ts'
import { breakStore, type Mutants } from './mutants/mutant.ts'
import { oneTimeMutants } from './mutants/one-time.ts'
import { credentialMutants, idMutants, recordMutants } from './mutants/records.ts'
import { tokenListMutants } from './mutants/token-lists.ts'

const sets = [
  appMutants,
  oneTimeMutants,
  grantMutants,
  rotateMutants,
  addMutants,
  tokenListMutants,
  consentMutants,
  credentialMutants,
  recordMutants,
  idMutants,
]
const mutants: Mutants = Object.assign({}, ...sets)
t.equal(Object.keys(mutants).length, sets.flatMap(set => Object.keys(set)).length, 'no two have one name')

function caseOf(beginning: string) {
  const found = storeCases.filter(({ name }) => name.startsWith(beginning))
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} cases begin with: ${beginning}`)
  return found[0]
}

t.jobs = 8
for (const [name, mutant] of Object.entries(mutants)) {
  t.test(`the contract notices that ${name}`, async t => {
    const { run } = caseOf(mutant.by)
    const error: unknown = await run(now => breakStore(mutant, now)).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (!(error instanceof AssertionError)) return t.fail(`not noticed by: ${mutant.by}`)
    t.notOk(error.cause instanceof TypeError, 'what is broken is the store, and not this test')
    t.pass(error.message.split('\n')[0] ?? '')
  })
}

t.test('every case catches a broken store', async t => {
  const caught = new Set(Object.values(mutants).map(({ by }) => caseOf(by).name))
  t.strictSame(
    storeCases.map(({ name }) => name).filter(name => !caught.has(name)),
    [],
  )
})

t.test('what a store throws is the cause, and the message names the method', async t => {
  const refused = new Error('ECONNREFUSED')
  const run = () =>
    caseOf('one-time: what is put').run(now => {
      const store = memoryStore({ now })
      return { ...store, oneTime: { ...store.oneTime, put: () => Promise.reject(refused) } }
    })
  await t.rejects(run(), { message: /^oneTime\.put rejected.*: ECONNREFUSED$/, cause: refused })
})

t.test('a method that is not there is named', async t => {
  const run = () =>
    caseOf('one-time: the attempt that claims').run(now => {
      const store = memoryStore({ now })
      const { claim: _, ...oneTime } = store.oneTime
      return { ...store, oneTime } as unknown as typeof store
    })
  await t.rejects(run(), { message: 'the store has no method oneTime.claim' })
})

t.test('a lost race says how many won', async t => {
  const finds = mutants['rotate finds, then writes']
  if (!finds) return t.fail()
  const message =
    /^\d+ of 50 concurrent `rotate` of one token said 'rotated', instead of exactly one: read and write must be one step/
  await t.rejects(
    caseOf(finds.by).run(now => breakStore(finds, now)),
    { message },
  )
})

t.test('an id that was taken for another is named, by its end if it is long', async t => {
  const cut = mutants['owners of consents are taken cut at 255']
  const lower = mutants['one-time ids are taken in lower case']
  if (!cut || !lower) return t.fail()
  const names = (mutant: typeof cut, message: RegExp) =>
    t.rejects(
      caseOf(mutant.by).run(now => breakStore(mutant, now)),
      { message },
    )
  await names(cut, /the owner "…x+z" \(300 characters\) was taken for/)
  await names(lower, /the one-time id "[\w-]+a" was taken for "[\w-]+A"/)
})

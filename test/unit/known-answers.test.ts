/** What is kept for years: values of today, which every later version must open, find and derive as they are. */
import { memoryStore } from 'authmount/stores/memory'
import { decodeProtectedHeader } from 'jose'
import t from 'tap'
import { sha256 } from '../../src/base/crypto.ts'
import { appIdOf } from '../../src/base/ids.ts'
import { sessionName } from '../../src/base/session.ts'
import { codeOfScreen, newClientSecret, newCode, newToken } from '../../src/tokens/opaque.ts'
import { openSuccessor, sealSuccessor } from '../../src/tokens/sealed-successor.ts'
import { open, seal } from '../../src/tokens/sealing.ts'
import { signingKey } from '../../src/tokens/signing-key.ts'
import { ANNA, withConnectors } from '../support/connectors.ts'
import { frameworks, startHost } from '../support/host.ts'
import { SEALING_KEY } from '../support/sign-in.ts'

const AT = 1_760_000_000_000
const GRANT_ID = `0123456789abcdef01234567${'g'.repeat(22)}`
const SPENT = `am_rt_${GRANT_ID}.${'s'.repeat(43)}`
const SUCCESSOR = 'AZxkJAFR3jD_ieQcqbpJieIsmrBCUgr65DSkRnMDMKG33rnlPj1ehg_1cGA'

/** A ring with one ES256 key, made at {@link AT}. */
const RING =
  'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiMk40M0tnR19OMW12IiwicHVycG9zZSI6Im5JTWRJOU5STmUxS3ZTUkd3WlExTWIifQ..oJsW19J9Pj1R4tgV.aqs60KVZEkuiRYoQRCHKjHFKO_Bp0YYZCQwNunRP8DfRhi0YoVm5wS1-K6V4rJD_1YAaLn5wdivQdbuBtWh-JFfh8tvL-fPx5JMnffPu00iJaXhB7rDg4tJTj_EeMwqpYNHJwcfD7xbIPJFRiGP4lJF2k2LheM2eMSleqQA4ixFr0csGHCxQCRAjmPg6yyDwBzTPnNE5shDI_3tYf-0vbCgLYpx0sDkONszB0VmjVv80wGEwNwToytEc4enx3lqfcL88uiPA3P8GWBuu8TAYYuV8bMh6xe0JrvG3HVw_9K0uPg4qKYsJzJgsF2zZw2Nz4SgwV1bFWoK_q0pLE8c.GSM8bGB4NqOok-Ndv8O0yQ'
const KID = 'W8OGIlayxjxqbjnbnR2b9g5nOLrMRzysqoKDU6nqDWo'

/** The tokens of Anna's account at the connector `drive`. */
const CREDENTIAL =
  'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiMk40M0tnR19OMW12IiwicHVycG9zZSI6IlRSZVcxcEUybkNxcnpNclF2Z1RSbmQifQ..6NJ4MYMVn58gn2Ch.aEDDsWltR894iSxJKFJBMug5b7gMJFgrmZ6i_TtrS9xbXyL9LjCQcd8-m3pYBL_8CksqSJcWPiPjN-YysrvJxRtWB-60FIFw50D8FfcT6UQxS97iP24OOkbk01vdj6mOr_nuivYoY-itYN6W1V287XUhg1ToPIeG2Mh1HO6TqTGeu-QNbq42g8IaTkFR7v5iQmzh2It8vzOHXOI0cvuo3OsuqmCu4ZkkXcRRgQe1Fzc.gTIVFApRx-EN0SMbdPKDkA'

/** A sealed text cut short, with one character of each part altered, and of a form that this version does not know. */
function damaged(sealed: string): Readonly<Record<string, string>> {
  const parts = sealed.split('.')
  const altered = parts.map((part, index) => {
    const other = `${part.startsWith('A') ? 'B' : 'A'}${part.slice(1)}`
    return [`altered in part ${index}`, parts.with(index, part === '' ? 'A' : other).join('.')] as const
  })
  const header = Buffer.from(JSON.stringify({ ...decodeProtectedHeader(sealed), enc: 'A128GCM' })).toString('base64url')
  return {
    ...Object.fromEntries(altered),
    'cut short by one': sealed.slice(0, -2),
    'cut short by a part': parts.slice(0, 4).join('.'),
    'of another form': parts.with(0, header).join('.'),
    empty: '',
  }
}

t.test('what was sealed long ago opens', async t => {
  const { express } = frameworks
  if (!express) throw new Error('no Express')
  t.same(openSuccessor(SPENT, SUCCESSOR), { accessToken: 'am_at_a', refreshToken: 'am_rt_b' })

  const store = memoryStore({ now: () => AT })
  await store.keys.save({ version: 1, sealed: RING })
  const [connectorId, ownerId] = ['drive', JSON.stringify([ANNA.orgId, ANNA.userId])]
  const record = { connectorId, ownerId, accessExpiresAt: null, leaseUntil: null, needsReconnect: false, version: 1 }
  await store.credentials.save({ ...record, sealed: CREDENTIAL })
  const provider = { clientId: 'x', clientSecret: 'x', issuer: 'https://provider.example', scopes: ['files'] }
  const host = await startHost(express, { ...withConnectors({ drive: provider }), store, now: () => AT + 60_000 })
  t.teardown(host.close)
  const { keys } = (await host.send('/.well-known/jwks.json')).body as { readonly keys: readonly { readonly kid: string }[] }
  t.strictSame(
    keys.map(({ kid }) => kid),
    [KID],
    'the ring',
  )
  const token = await host.authmount.connectorToken('drive', ANNA)
  t.match(token, { accessToken: 'at-1', tokenType: 'Bearer', scopes: ['files'] }, 'the credential')
})

t.test('what was sealed, and then altered, cut short or put into another form, does not open', async t => {
  for (const [sealed, purpose] of [
    [RING, 'authmount key ring'],
    [CREDENTIAL, JSON.stringify(['connector credential', 'drive', JSON.stringify(['org-1', 'anna'])])],
  ] as const) {
    t.ok(await open(sealed, purpose, [SEALING_KEY]))
    for (const [what, text] of Object.entries(damaged(sealed))) await t.rejects(open(text, purpose, [SEALING_KEY]), what)
    await t.rejects(open(sealed, `${purpose} `, [SEALING_KEY]), /another purpose/)
    await t.rejects(open(sealed, purpose, [Buffer.from(SEALING_KEY).fill(7, 0, 9)]), /not among sealingKeys/)
  }
})

t.test('what is sealed today is in the form of then', async t => {
  const header = decodeProtectedHeader(await seal('x', 'authmount key ring', [SEALING_KEY]))
  t.strictSame(header, decodeProtectedHeader(RING))
  const sealed = Buffer.from(sealSuccessor(SPENT, { accessToken: 'am_at_a', refreshToken: 'am_rt_b' }), 'base64url')
  t.equal(sealed[0], Buffer.from(SUCCESSOR, 'base64url')[0])
  t.equal(sealed.length, Buffer.from(SUCCESSOR, 'base64url').length)
})

t.test('what is derived is derived in the same way for ever', async t => {
  t.equal(appIdOf('https://app.example/client'), '6221d7bb1d50db1ed869e8e1', 'the id of an app with a name of its own')
  t.equal(appIdOf('0123456789abcdef01234567'), '0123456789abcdef01234567')
  t.equal(sha256('am_at_x'), '1bE0rtxkNTPDP9JLLOv9fanKDP6ezD_okBO576HF6Lk', 'the id of a token')
  t.equal(codeOfScreen('screen', 'salt'), 'am_ac_8z7AbciiK_RXeHvjpQuI4E1hA3VKR1KcK8DfsIEWyrk', 'the code of a screen')
  t.equal(sessionName('session-of-anna'), 'duQvjKDEYO8aHKxsnXTeflzxzPkPvjmVGhrrfFMBSU0', 'the name of a session')
  const [{ jwk }] = JSON.parse(await open(RING, 'authmount key ring', [SEALING_KEY]))
  t.equal(signingKey(jwk).kid, KID, 'the thumbprint of a key (RFC 7638)')
})

t.test('codes, tokens and secrets have 256 random bits', async t => {
  const made = {
    am_ac_: newCode,
    am_cs_: newClientSecret,
    [`am_at_${GRANT_ID}.`]: () => newToken('access', GRANT_ID).value,
    [`am_rt_${GRANT_ID}.`]: () => newToken('refresh', GRANT_ID).value,
  }
  for (const [prefix, make] of Object.entries(made)) {
    const values = Array.from({ length: 200 }, make)
    t.ok(
      values.every(value => value.startsWith(prefix)),
      prefix,
    )
    const bytes = values.map(value => Buffer.from(value.slice(prefix.length), 'base64url'))
    t.ok(
      bytes.every(({ length }) => length === 32),
      prefix,
    )
    // Each of the 32 bytes takes many values, so none of them is fixed.
    for (let at = 0; at < 32; at++) t.ok(new Set(bytes.map(value => value[at])).size > 60, `${prefix} byte ${at}`)
  }
})

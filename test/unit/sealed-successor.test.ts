import { createDecipheriv, createHash, createHmac } from 'node:crypto'
import t from 'tap'
import { openSuccessor, sealSuccessor } from '../../src/tokens/sealed-successor.ts'

const SPENT = `am_rt_${'0123456789abcdef01234567'}${'g'.repeat(22)}.${'s'.repeat(43)}`
const SUCCESSOR = { accessToken: `am_at_${'a'.repeat(90)}`, refreshToken: `am_rt_${'r'.repeat(90)}` }

t.test('the spent token opens its successor, with and without a refresh token', async t => {
  t.same(openSuccessor(SPENT, sealSuccessor(SPENT, SUCCESSOR)), SUCCESSOR)
  const alone = { accessToken: SUCCESSOR.accessToken, refreshToken: undefined }
  t.same(openSuccessor(SPENT, sealSuccessor(SPENT, alone)), alone)
})

t.test('no two seals are alike, and none shows a token', async t => {
  const seals = Array.from({ length: 100 }, () => sealSuccessor(SPENT, SUCCESSOR))
  t.equal(new Set(seals).size, 100)
  t.notOk(seals.some(seal => Buffer.from(seal, 'base64url').includes('am_')))
})

t.test('another token opens nothing', async t => {
  t.equal(openSuccessor(SPENT.replace('am_rt_0', 'am_rt_1'), sealSuccessor(SPENT, SUCCESSOR)), undefined)
})

t.test('what the store knows opens nothing: neither the id of the spent token nor its SHA-256', async t => {
  const sealed = sealSuccessor(SPENT, SUCCESSOR)
  const id = createHash('sha256').update(SPENT).digest('base64url')
  t.equal(openSuccessor(id, sealed), undefined)
  const bytes = Buffer.from(sealed, 'base64url')
  const digest = createHash('sha256').update(SPENT).digest()
  const guesses = [digest, ...['authmount refresh replay', ''].map(text => createHmac('sha256', digest).update(text).digest())]
  for (const key of guesses) {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 13)).setAuthTag(bytes.subarray(13, 29))
    decipher.update(bytes.subarray(29))
    t.throws(() => decipher.final())
  }
})

t.test('a seal that was altered in any byte opens nothing', async t => {
  const bytes = Buffer.from(sealSuccessor(SPENT, SUCCESSOR), 'base64url')
  const opened = [...bytes.keys()].filter(index => {
    const altered = Buffer.from(bytes)
    altered[index] = (altered[index] ?? 0) ^ 1
    return openSuccessor(SPENT, altered.toString('base64url'))
  })
  t.same(opened, [])
})

t.test('a seal that was cut short, or goes on, opens nothing', async t => {
  const bytes = Buffer.from(sealSuccessor(SPENT, SUCCESSOR), 'base64url')
  const opened = [...bytes.keys()].filter(length => openSuccessor(SPENT, bytes.toString('base64url', 0, length)))
  t.same(opened, [])
  t.equal(openSuccessor(SPENT, Buffer.concat([bytes, Buffer.of(0)]).toString('base64url')), undefined)
})

t.test('a seal of another version opens nothing', async t => {
  const other = Buffer.from(sealSuccessor(SPENT, SUCCESSOR), 'base64url')
  other[0] = 2
  t.equal(openSuccessor(SPENT, other.toString('base64url')), undefined)
  t.equal(
    openSuccessor(SPENT, 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA'),
    undefined,
  )
})

/**
 * `npx tsx test/bench/bound-check.ts`: the check of a bound token (RFC 9449) without HTTP, beside the check of a bearer token and one
 * bare verification of ES256, in turns and in processor time. Keys are new in each turn, so that their import counts.
 */
import { createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { createAuthmount } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import { ProofKey } from '../support/dpop.ts'
import { median } from './rows.ts'

const CHECKS = 2000
const ROUNDS = 9
const issuer = 'http://localhost'
const clock = { now: Date.now }
const scopes = { 'read:records': { description: 'Read your records' } }
const authmount = createAuthmount({ issuer, store: memoryStore(), authenticate: () => null, scopes })
const app = await authmount.registerApp(
  { name: 'Bench', allowedScopes: ['read:records'], allowedGrantTypes: ['client_credentials'] },
  { orgId: 'bench', userId: 'bench' },
)
const guard = authmount.guard({ scopes: ['read:records'] })
const bearer = await newToken({})
const data = randomBytes(400)
const pair = new ProofKey()
const signature = sign('sha256', data, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' })
const publicKey = createPublicKey(pair.privateKey)

const figures = { bearer: [] as number[], verification: [] as number[], bound: [] as number[] }
for (let round = 0; round < ROUNDS; round++) {
  const key = new ProofKey()
  const token = await newToken({ dpop: key.proof({ clock }, { url: `${issuer}/oauth/token` }) })
  const proofs = Array.from({ length: CHECKS }, () => key.proof({ clock }, { method: 'GET', url: `${issuer}/guarded`, token }))
  figures.bearer.push(await micros(() => check({ authorization: `Bearer ${bearer}` })))
  figures.verification.push(
    await micros(async () => void verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)),
  )
  figures.bound.push(await micros(index => check({ authorization: `DPoP ${token}`, dpop: proofs[index] })))
}
const [first, second, third] = [figures.bearer, figures.verification, figures.bound].map(median)
const beyond = median(
  figures.bound.map((micros, round) => micros - (figures.bearer[round] ?? 0) - (figures.verification[round] ?? 0)),
)
console.log(
  `bearer ${first?.toFixed(1)} µs, one verification ${second?.toFixed(1)} µs, bound ${third?.toFixed(1)} µs: ${beyond.toFixed(1)} µs beyond both`,
)

async function check(headers: Readonly<Record<string, string | undefined>>): Promise<void> {
  const result = await guard({ method: 'GET', url: '/guarded', headers })
  if ('refusal' in result) throw new Error(result.refusal.body)
}

async function micros(run: (index: number) => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  for (let index = 0; index < CHECKS; index++) await run(index)
  const { system, user } = process.cpuUsage(before)
  return (system + user) / CHECKS
}

async function newToken(headers: Readonly<Record<string, string>>): Promise<string> {
  const endpoint = authmount.find('/oauth/token')?.endpoint
  if (!endpoint) throw new Error('there is no token endpoint')
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: app.clientId,
    client_secret: app.clientSecret ?? '',
  })
  const rest = { method: 'POST', params: {}, query: new URLSearchParams(), ip: undefined, native: undefined }
  const { body } = await authmount.dispatch(endpoint, { ...rest, headers, body: { kind: 'form', form } })
  return JSON.parse(body).access_token
}

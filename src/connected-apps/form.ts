import { countScreen } from '../authorize/count-screen.ts'
import { randomId, sha256 } from '../base/crypto.ts'
import { sessionName } from '../base/session.ts'
import type { SignedInContext } from '../options/context.ts'
import type { OneTimeData } from '../store/store.ts'
import { open, seal } from '../tokens/sealing.ts'

/** An hour, for the user to read the page. */
const FORM_MS = 3_600_000
const PURPOSE = 'form of connected apps'

/**
 * Makes the id that proves a form of ours: a sealed value, or a record where there are no sealing keys. Rejects with StoreError,
 * or with RateLimitError where it would be a record too many.
 */
export async function makeForm(context: SignedInContext): Promise<string> {
  const { config, now, principal, store } = context
  const data: OneTimeData['form'] = { userId: principal.userId, session: sessionName(principal.sessionId) }
  if (config.sealingKeys) {
    const sealed = await seal(JSON.stringify([now + FORM_MS, data]), PURPOSE, config.sealingKeys)
    return Buffer.from(sealed).toString('base64url')
  }
  await countScreen(['form'], context)
  const formId = randomId(32)
  await store.oneTime.put({ kind: 'form', id: sha256(formId), expiresAt: now + FORM_MS, data })
  return formId
}

/** Tells whether a form was shown to this user, in this session, within the last hour. */
export async function isOwnForm(formId: string, { config, now, principal, store }: SignedInContext): Promise<boolean> {
  const shown = config.sealingKeys
    ? await openForm(formId, now, config.sealingKeys)
    : (await store.oneTime.peek('form', sha256(formId)))?.data
  return shown?.userId === principal.userId && shown.session === sessionName(principal.sessionId)
}

async function openForm(formId: string, now: number, keys: readonly Uint8Array[]): Promise<OneTimeData['form'] | undefined> {
  const text = await open(Buffer.from(formId, 'base64url').toString(), PURPOSE, keys).catch(() => undefined)
  if (text === undefined) return undefined
  const [expiresAt, data] = JSON.parse(text) as [number, OneTimeData['form']]
  return now < expiresAt ? data : undefined
}

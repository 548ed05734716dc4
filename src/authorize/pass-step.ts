import { problemOfAuthentication } from '../base/authentication-names.ts'
import { randomId, sha256 } from '../base/crypto.ts'
import { sessionName } from '../base/session.ts'
import { ApiError } from '../errors/api-error.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Context } from '../options/context.ts'
import type { PassedStep } from '../options/steps.ts'
import { rememberedId, returnAddress } from './steps.ts'

/**
 * Passes a step, once, because the host's server says so. Resolves to the address at which the browser goes on.
 * Rejects with TypeError for what makes no sense, with ApiError `NOT_FOUND`, `FORBIDDEN` (another user's or session's) or `CONFLICT`
 * (passed before), or with StoreError.
 */
export async function passStep(id: string, said: PassedStep, context: Context): Promise<string> {
  check(id, said)
  const { config, events, now, store } = context
  const { acr = null, amr = [], orgId = null } = said
  const entryId = sha256(id)
  const entry = await store.oneTime.peek('step', entryId)
  if (!entry) throw new ApiError('NOT_FOUND', 'this step is unknown, or has expired: send the browser back to its returnTo')
  const { back, clientId, name, rememberSeconds, session, userId, ...step } = entry.data
  const byOther = said.userId !== undefined && said.userId !== userId
  const elsewhere = said.sessionId !== undefined && session !== null && sessionName(said.sessionId) !== session
  if (byOther || elsewhere) throw new ApiError('FORBIDDEN', 'this step is of another user, or of another session')

  const data = { name, at: now, orgId, acr, amr: [...new Set(amr)] }
  const passed = { kind: 'passed_step', id: entryId, expiresAt: entry.expiresAt, data } as const
  if (!(await store.oneTime.claim(passed, randomId(16))))
    throw new ApiError('CONFLICT', 'this step has been passed before: send the browser back to its returnTo')
  if (rememberSeconds > 0 && session !== null) {
    const remembered = { ...passed, id: rememberedId(userId, session, name), expiresAt: now + rememberSeconds * 1000 }
    await store.oneTime.put(remembered).catch(error => {
      if (!(error instanceof StoreError)) throw error
      config.log.error('a step that was passed could not be remembered: it is asked for again next time', error)
    })
  }
  events.emit({ type: 'step_passed', at: now, clientId, orgId: step.orgId, userId, step: name, chosenOrgId: orgId, acr })
  return returnAddress(back, id, config)
}

const MEMBERS = ['userId', 'sessionId', 'orgId', 'acr', 'amr']

/** Checks strictly: a misspelt member would be a step that says nothing. */
function check(id: unknown, said: unknown): void {
  if (typeof id !== 'string' || id === '') throw new TypeError('passStep needs the id of a step: step_id of the query')
  if (typeof said !== 'object' || said === null || Array.isArray(said))
    throw new TypeError('passStep takes an object as its second argument, such as { userId }')
  for (const name of Object.keys(said))
    if (!MEMBERS.includes(name)) throw new TypeError(`passStep knows no ${name}: it takes ${MEMBERS.join(', ')}`)
  const { acr, amr, orgId, sessionId, userId } = said as Readonly<Record<string, unknown>>
  if (orgId !== undefined && !(typeof orgId === 'string' && orgId.length > 0 && orgId.length <= 255))
    throw new TypeError('orgId must have 1 to 255 characters')
  // Null, as of nobody who is signed in, must not be taken for anybody.
  for (const [name, value] of Object.entries({ userId, sessionId }))
    if (value !== undefined && typeof value !== 'string') throw new TypeError(`${name} is ${typeof value}, and must be a string`)
  const problem = problemOfAuthentication({ acr, amr })
  if (problem !== undefined) throw new TypeError(problem)
}

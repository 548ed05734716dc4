import { callHook } from '../base/hooks.ts'
import { wireId } from '../base/ids.ts'
import type { Config } from '../options/config.ts'
import type { SignedInContext } from '../options/context.ts'
import { isPlainObject } from '../options/kinds.ts'
import type { AuthorizationRequest } from './request.ts'

/** What is known of a request when its steps are listed. */
export type Stepped = Pick<AuthorizationRequest, 'acrValues' | 'app' | 'audience' | 'scopes'>

/** A step of the host's whose page may be led to. */
export interface CheckedStep {
  readonly name: string
  /** The page's URL, or its path as browsers see it. */
  readonly page: string
  readonly rememberSeconds: number
}

/** The most steps of one request. */
export const MAX_STEPS = 20
const MAX_URL_CHARS = 2048
const MAX_REMEMBER_SECONDS = 31_536_000

/** Asks the host which steps a request needs. Rejects as its function does, if it is late, or with TypeError for what is no list of steps. */
export async function hostSteps(
  asked: Stepped,
  passed: readonly string[],
  { config, principal }: SignedInContext,
): Promise<readonly CheckedStep[]> {
  const { steps } = config
  if (!steps) return []
  const { acrValues, app, audience, scopes } = asked
  const request = { clientId: wireId(app), principal, scopes, resources: audience, acrValues, passed }
  return callHook(
    'steps',
    () => steps(request),
    answer => readSteps(answer, config),
    config,
  )
}

function readSteps(answer: unknown, config: SignedInContext['config']): readonly CheckedStep[] {
  if (answer === null || answer === undefined) return []
  if (!Array.isArray(answer)) throw new TypeError(`steps must return an array of { name, url }: it returned ${typeof answer}`)
  if (answer.length > MAX_STEPS) throw new TypeError(`steps must return at most ${MAX_STEPS} steps`)
  return answer.map(step => checkStep(step, config))
}

const MEMBERS = ['name', 'url', 'rememberSeconds']

/** Checks a step that the host named. Throws TypeError. */
export function checkStep(
  step: unknown,
  config: Pick<Config<never>, 'consentUrl' | 'loginUrl' | 'origin' | 'proxyPath'>,
): CheckedStep {
  if (!isPlainObject(step)) throw new TypeError('a step must be an object { name, url }')
  const strange = Object.keys(step).find(name => !MEMBERS.includes(name))
  if (strange !== undefined) throw new TypeError(`a step has ${MEMBERS.join(', ')}, and nothing else`)
  const { name, rememberSeconds = 0, url } = step
  if (typeof name !== 'string' || !/^[\x21-\x7e]{1,100}$/.test(name))
    throw new TypeError('the name of a step must have 1 to 100 printable characters, without spaces')
  if (!Number.isInteger(rememberSeconds) || Number(rememberSeconds) < 0 || Number(rememberSeconds) > MAX_REMEMBER_SECONDS)
    throw new TypeError(`rememberSeconds of the step ${name} must be a whole number between 0 and ${MAX_REMEMBER_SECONDS}`)
  const page = pageOf(url, config)
  if (page === undefined)
    throw new TypeError(`url of the step ${name} must be a path, or a URL on the origin of the issuer, loginUrl or consentUrl`)
  return { name, page, rememberSeconds: Number(rememberSeconds) }
}

/** The address of a page of the host's own; undefined for any other: a host may make it of what a request says. */
function pageOf(
  url: unknown,
  { consentUrl, loginUrl, origin, proxyPath }: Pick<Config<never>, 'consentUrl' | 'loginUrl' | 'origin' | 'proxyPath'>,
): string | undefined {
  if (typeof url !== 'string' || url.length > MAX_URL_CHARS || !/^[\x21\x22\x24-\x7e]+$/.test(url)) return undefined
  if (/^\/(?![/\\])/.test(url)) return `${proxyPath}${url}`
  const page = /^https?:\/\//i.test(url) && URL.canParse(url) ? new URL(url) : undefined
  const own = [origin, loginUrl, consentUrl ?? origin].map(address => new URL(address, origin).origin)
  return page && own.includes(page.origin) && page.username === '' && page.password === '' ? page.href : undefined
}

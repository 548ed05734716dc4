/** @typedef {import('../../apps/app-view.ts').AppView} App */
/** @typedef {App & { readonly clientSecret?: string }} AppWithSecret */
/** @typedef {{ readonly tokenType: 'access' | 'refresh', readonly userId?: string, readonly scopes: readonly string[], readonly createdAt: string, readonly expiresAt: string }} Token */
/** @typedef {{ readonly name: string, readonly description: string, readonly category: string }} Scope */
/** @typedef {{ readonly data: readonly App[], readonly pagination: { readonly page: number, readonly total: number, readonly totalPages: number } }} AppPage */
/** @typedef {{ readonly id: string, readonly clientId: string, readonly host: string | null, readonly name: string, readonly state: 'pending' | 'allowed' | 'refused' | 'used', readonly redirectHosts: readonly string[], readonly scopes: readonly string[], readonly firstSeen: string, readonly lastUsed: string | null, readonly askedBy: string | null, readonly isBlocked: boolean }} Agent */
/** @typedef {{ readonly pending: readonly Agent[], readonly data: readonly Agent[], readonly next: string | null }} AgentPage */
/** @typedef {{ readonly path: string, readonly message: string }} Problem */

/** What came instead of an answer, in words for the person who asked. */
export class Refusal extends Error {
  /**
   * @param {number} status 0: there was no answer.
   * @param {string} message
   * @param {readonly Problem[]} problems Of fields of the input, each with its path.
   */
  constructor(status, message, problems = []) {
    super(message)
    this.status = status
    this.problems = problems
  }
}

/** What the API answers. Each rejects with a Refusal. */
export const api = {
  /** @param {URLSearchParams} query @returns {Promise<AppPage>} */
  list: query => read(`?${query}`),
  /** @param {string} after @returns {Promise<AgentPage>} */
  agents: after => read(`/unregistered${after === '' ? '' : `?after=${encodeURIComponent(after)}`}`),
  /** @param {string} id @param {'allow' | 'refuse' | 'end'} decision @returns {Promise<{ readonly revoked: number }>} */
  decideAgent: (id, decision) => change('POST', `/unregistered${pathOf(id)}/${decision}`),
  /** @returns {Promise<readonly Scope[]>} */
  scopes: () => read('/scopes'),
  /** @param {string} id @returns {Promise<App>} */
  get: id => read(pathOf(id)),
  /** @param {object} fields @returns {Promise<AppWithSecret>} */
  create: fields => change('POST', '', fields),
  /** @param {string} id @param {object} fields @returns {Promise<App>} */
  update: (id, fields) => change('PUT', pathOf(id), fields),
  /** @param {string} id @returns {Promise<{ readonly message: string }>} */
  remove: id => change('DELETE', pathOf(id)),
  /** @param {string} id @param {'suspend' | 'activate'} verb @returns {Promise<App>} */
  switch: (id, verb) => change('POST', `${pathOf(id)}/${verb}`),
  /** @param {string} id @param {number} overlapSeconds @returns {Promise<AppWithSecret>} */
  rotate: (id, overlapSeconds) => change('POST', `${pathOf(id)}/regenerate-secret`, { overlapSeconds }),
  /** @param {string} id @returns {Promise<{ readonly count: number }>} */
  revokeAll: id => change('POST', `${pathOf(id)}/revoke-all-tokens`),
  /**
   * @param {string} id
   * @param {string} query Of the page before, as its `next` says.
   * @returns {Promise<{ readonly tokens: readonly Token[], readonly next: string | null }>}
   */
  async tokens(id, query = '?limit=25') {
    const { body, headers } = await call('GET', `${pathOf(id)}/tokens${query}`)
    // Of the address only the query: its origin is the issuer's, which need not be this page's (RFC 8288).
    return { tokens: body, next: /<[^>]*(\?[^>]*)>; rel="next"/.exec(headers.get('link') ?? '')?.[1] ?? null }
  },
}

/** No app has it. An admin is told so; anyone else, that they may not ask. */
const NOBODY = '0'.repeat(24)

/** @type {Promise<boolean> | undefined} */
let admin

/**
 * Whether the user may change apps, learned once by asking for what only an admin may see.
 *
 * @param {string} appId One that exists, if any is known.
 */
export function mayChange(appId = NOBODY) {
  admin ??= call('GET', `${pathOf(appId)}/tokens?limit=1`).then(
    () => true,
    refusal => refusal.status !== 403,
  )
  return admin
}

/** @param {string} id */
const pathOf = id => `/${encodeURIComponent(id)}`

/** @param {string} path @returns {Promise<any>} */
const read = async path => (await call('GET', path)).body

/** @param {string} method @param {string} path @param {object} [input] @returns {Promise<any>} */
const change = async (method, path, input) => (await call(method, path, input)).body

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [input]
 * @returns {Promise<{ readonly body: any, readonly headers: Headers }>}
 */
async function call(method, path, input) {
  const response = await fetch(`${document.body.dataset.api}${path}`, {
    method,
    redirect: 'manual',
    ...(input && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) }),
  }).catch(() => null)
  if (!response) throw new Refusal(0, 'The server did not answer. Check your connection, then reload to see how things stand.')
  // A host that sends everyone who is not signed in to its login.
  if (response.type === 'opaqueredirect') throw new Refusal(401, 'You are not signed in.')
  const body = await response.json().catch(() => null)
  if (response.ok && body !== null) return { body, headers: response.headers }
  const { details = [], message = '' } = body?.error ?? {}
  throw new Refusal(response.status, inWords(response, message), details)
}

/** @param {Response} response @param {string} message */
function inWords({ headers, status }, message) {
  const wait = waitInWords(Number(headers.get('retry-after')))
  if (status === 401) return 'You are not signed in.'
  if (status === 404) return 'There is no such app. It may have been deleted.'
  if (status === 429) return `That was too many changes in a short time: try again ${wait}.`
  if (status === 503) return `The server cannot answer just now: try again ${wait}.`
  return message ? `${message[0]?.toUpperCase()}${message.slice(1)}.` : `Something went wrong (${status}).`
}

/** @param {number} seconds */
function waitInWords(seconds) {
  if (!(seconds > 0)) return 'later'
  if (seconds > 90) return `in ${Math.ceil(seconds / 60)} minutes`
  return seconds === 1 ? 'in one second' : `in ${seconds} seconds`
}

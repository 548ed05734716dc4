/**
 * How a provider departs from RFC 6749 §5: `request` changes what is sent to its token endpoint, `answer` what comes back, before
 * the protocol library judges it. Each is small, and named for what it mends.
 */
export interface Quirk {
  readonly name: string
  readonly request?: (request: TokenRequest) => TokenRequest
  /** The answer's fields, and the status it should have had. */
  readonly answer?: (answer: TokenAnswer) => TokenAnswer
  /** Reads a body that is not JSON. */
  readonly read?: (text: string) => unknown
}

export interface TokenRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: URLSearchParams | string
}
export interface TokenAnswer {
  readonly status: number
  readonly fields: Readonly<Record<string, unknown>>
}

/** Errors come with status 200: GitHub says `error`, Slack `ok: false`. */
export const errorsUnder200: Quirk = {
  name: 'errors under 200',
  answer: ({ status, fields }) => {
    const failed = status === 200 && (typeof fields.error === 'string' || fields.ok === false)
    return failed ? { status: 400, fields: { error: 'invalid_request', ...fields } } : { status, fields }
  },
}

/** The provider's own words for a standard error code, in `error`, `error_description` or `message`: `{ invalid_grant: ['bad_code'] }`. */
export function errorCodes(words: Readonly<Record<string, readonly string[]>>): Quirk {
  const standard = new Map(Object.entries(words).flatMap(([code, own]) => own.map(word => [word, code])))
  return {
    name: 'error codes of its own',
    answer: ({ status, fields }) => {
      const said = [fields.error, fields.error_description, status >= 400 ? fields.message : undefined]
      const code = said.map(word => standard.get(String(word))).find(code => code !== undefined)
      return { status, fields: code === undefined ? fields : { ...fields, error: code } }
    },
  }
}

/** An error's code is in a field of another name, as Notion's in `code`. */
export function errorCodeIn(name: string): Quirk {
  return {
    name: `error code in ${name}`,
    answer: ({ status, fields }) => {
      const elsewhere = status >= 400 && typeof fields.error !== 'string' && typeof fields[name] === 'string'
      return { status, fields: elsewhere ? { ...fields, error: fields[name] } : fields }
    },
  }
}

/** What an answer does not have, it has as null; a refresh token also as an empty text. Mended for every provider. */
export const nullsForAbsent: Quirk = {
  name: 'nulls for absent',
  answer: ({ status, fields }) => ({
    status,
    fields: Object.fromEntries(
      Object.entries(fields).filter(([name, value]) => value !== null && !(name === 'refresh_token' && value === '')),
    ),
  }),
}

/** `scope` is a list, as Twitch's is. Always on. A list of anything but texts is left for the protocol library to refuse. */
export const scopeLists: Quirk = {
  name: 'scope lists',
  answer: ({ status, fields }) => {
    const { scope } = fields
    const texts = Array.isArray(scope) && scope.every(name => typeof name === 'string')
    return { status, fields: texts ? { ...fields, scope: scope.join(' ') } : fields }
  },
}

/** An ID token that nobody asked for, and that nothing here could verify. */
export const idTokenUnasked: Quirk = {
  name: 'ID token unasked',
  answer: ({ status, fields: { id_token: _, ...fields } }) => ({ status, fields }),
}

/** Answers are forms. */
export const formAnswers: Quirk = {
  name: 'form answers',
  read: text => Object.fromEntries(new URLSearchParams(text)),
}

/** The tokens are in an object within the answer, as Slack's of a user. Where that has none, the outer ones count. */
export function nestedUnder(name: string): Quirk {
  return {
    name: `nested under ${name}`,
    answer: ({ status, fields }) => {
      const inner = fields[name]
      const nested = typeof inner === 'object' && inner !== null && 'access_token' in inner
      // What the outer tokens have and the inner ones lack must not be taken for theirs.
      const outer = { ...fields, refresh_token: undefined, expires_in: undefined, scope: undefined, token_type: undefined }
      return { status, fields: nested ? { ...outer, ...inner } : fields }
    },
  }
}

/** `token_type` is missing, or is a word of the provider's own; the tokens are bearer tokens. */
export const bearerUnsaid: Quirk = {
  name: 'bearer unsaid',
  answer: ({ status, fields }) => ({ status, fields: 'access_token' in fields ? { ...fields, token_type: 'Bearer' } : fields }),
}

/** The answer's `scope` is not separated by spaces. */
export function scopesSeparatedBy(separator: string): Quirk {
  return {
    name: `scopes separated by ${separator}`,
    answer: ({ status, fields }) => {
      const { scope } = fields
      return { status, fields: typeof scope === 'string' ? { ...fields, scope: scope.split(separator).join(' ') } : fields }
    },
  }
}

/** The token endpoint reads JSON. */
export const jsonRequests: Quirk = {
  name: 'JSON requests',
  request: ({ body, headers }) => ({
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(Object.fromEntries(new URLSearchParams(body))),
  }),
}

/** The token endpoint wants these headers too. Names in lower case. */
export function withHeaders(more: Readonly<Record<string, string>>): Quirk {
  return {
    name: `with ${Object.keys(more).join(', ')}`,
    request: ({ body, headers }) => ({ headers: { ...headers, ...more }, body }),
  }
}

/** Basic credentials are taken as they are: the provider does not undo the encoding of RFC 6749 §2.3.1. */
export const plainBasic: Quirk = {
  name: 'plain Basic',
  request: ({ body, headers }) => {
    const [, encoded] = /^Basic (.+)$/.exec(headers.authorization ?? '') ?? []
    if (encoded === undefined) return { headers, body }
    const credentials = atob(encoded)
      .split(':')
      .map(part => decodeURIComponent(part.replaceAll('+', ' ')))
    return { headers: { ...headers, authorization: basic(credentials.join(':')) }, body }
  },
}

/** An Authorization header of RFC 7617, in UTF-8. */
export function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

/** Applies a provider's quirks to one answer of its token endpoint. */
export async function mendAnswer(response: Response, quirks: readonly Quirk[]): Promise<Response> {
  const text = await response.text()
  const fields = readFields(text, quirks)
  // Not an object: for the protocol library to refuse.
  if (!fields) return new Response(text || null, response) // a 204 may not even have an empty body
  let answer: TokenAnswer = { status: response.status, fields }
  for (const quirk of quirks) answer = quirk.answer?.(answer) ?? answer
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  // RFC 6749 §5.2: the body says which error it is. A gateway's challenge would be read first, as bad client credentials.
  if (typeof answer.fields.error === 'string') headers.delete('www-authenticate')
  return new Response(JSON.stringify(answer.fields), {
    // RFC 6749 §5.1 says 200; what says that something was made says the same.
    status: answer.status === 201 ? 200 : answer.status,
    headers,
  })
}

export function mendRequest(request: TokenRequest, quirks: readonly Quirk[]): TokenRequest {
  return quirks.reduce((mended, quirk) => quirk.request?.(mended) ?? mended, request)
}

function readFields(text: string, quirks: readonly Quirk[]): Readonly<Record<string, unknown>> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = quirks.find(({ read }) => read)?.read?.(text)
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
}

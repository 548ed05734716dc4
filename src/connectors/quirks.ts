/**
 * Corrects one departure of a provider from RFC 6749 §5, before the protocol library reads the answer. Each quirk is small, and
 * named after what it corrects.
 */
export interface Quirk {
  /** Its name, for logs. */
  readonly name: string
  /** Changes a request to the token endpoint. */
  readonly request?: (request: TokenRequest) => TokenRequest
  /** Changes an answer: its fields, and the status that the standard requires. */
  readonly answer?: (answer: TokenAnswer) => TokenAnswer
  /** Parses a body that is not JSON. */
  readonly read?: (text: string) => unknown
}

/** A request to a token endpoint. */
export interface TokenRequest {
  /** The headers, with lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** The body. */
  readonly body: URLSearchParams | string
}
/** An answer of a token endpoint. */
export interface TokenAnswer {
  /** The HTTP status. */
  readonly status: number
  /** The fields of the body. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** Corrects errors that come with status 200: GitHub sends `error`, Slack `ok: false`. */
export const errorsUnder200: Quirk = {
  name: 'errors under 200',
  answer: ({ status, fields }) => {
    const failed = status === 200 && (typeof fields.error === 'string' || fields.ok === false)
    return failed ? { status: 400, fields: { error: 'invalid_request', ...fields } } : { status, fields }
  },
}

/** Maps the provider's own error codes, in `error`, `error_description` or `message`, to standard ones: `{ invalid_grant: ['bad_code'] }`. */
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

/** Reads an error's code from a field of another name, such as Notion's `code`. */
export function errorCodeIn(name: string): Quirk {
  return {
    name: `error code in ${name}`,
    answer: ({ status, fields }) => {
      const elsewhere = status >= 400 && typeof fields.error !== 'string' && typeof fields[name] === 'string'
      return { status, fields: elsewhere ? { ...fields, error: fields[name] } : fields }
    },
  }
}

/** Removes fields that are null, and an empty refresh token, which mean that they are absent. Applied to every provider. */
export const nullsForAbsent: Quirk = {
  name: 'nulls for absent',
  answer: ({ status, fields }) => ({
    status,
    fields: Object.fromEntries(
      Object.entries(fields).filter(([name, value]) => value !== null && !(name === 'refresh_token' && value === '')),
    ),
  }),
}

/** Joins a `scope` that is an array, such as Twitch's. Applied to every provider. An array of other values is left for the protocol library to refuse. */
export const scopeLists: Quirk = {
  name: 'scope lists',
  answer: ({ status, fields }) => {
    const { scope } = fields
    const texts = Array.isArray(scope) && scope.every(name => typeof name === 'string')
    return { status, fields: texts ? { ...fields, scope: scope.join(' ') } : fields }
  },
}

/** Removes an ID token that was not asked for, because without an issuer it cannot be verified. */
export const idTokenUnasked: Quirk = {
  name: 'ID token unasked',
  answer: ({ status, fields: { id_token: _, ...fields } }) => ({ status, fields }),
}

/** Parses answers that are forms. */
export const formAnswers: Quirk = {
  name: 'form answers',
  read: text => Object.fromEntries(new URLSearchParams(text)),
}

/** Reads the tokens from an object inside the answer, such as Slack's user token. Uses the outer ones if it has none. */
export function nestedUnder(name: string): Quirk {
  return {
    name: `nested under ${name}`,
    answer: ({ status, fields }) => {
      const inner = fields[name]
      const nested = typeof inner === 'object' && inner !== null && 'access_token' in inner
      // Fields of the outer token must not be taken for those that the inner one lacks.
      const outer = { ...fields, refresh_token: undefined, expires_in: undefined, scope: undefined, token_type: undefined }
      return { status, fields: nested ? { ...outer, ...inner } : fields }
    },
  }
}

/** Sets `token_type` to Bearer where it is missing or the provider's own word. */
export const bearerUnsaid: Quirk = {
  name: 'bearer unsaid',
  answer: ({ status, fields }) => ({ status, fields: 'access_token' in fields ? { ...fields, token_type: 'Bearer' } : fields }),
}

/** Splits the answer's `scope` by another separator than a space. */
export function scopesSeparatedBy(separator: string): Quirk {
  return {
    name: `scopes separated by ${separator}`,
    answer: ({ status, fields }) => {
      const { scope } = fields
      return { status, fields: typeof scope === 'string' ? { ...fields, scope: scope.split(separator).join(' ') } : fields }
    },
  }
}

/** Sends requests to the token endpoint as JSON. */
export const jsonRequests: Quirk = {
  name: 'JSON requests',
  request: ({ body, headers }) => ({
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(Object.fromEntries(new URLSearchParams(body))),
  }),
}

/** Adds headers to requests to the token endpoint. Names in lower case. */
export function withHeaders(more: Readonly<Record<string, string>>): Quirk {
  return {
    name: `with ${Object.keys(more).join(', ')}`,
    request: ({ body, headers }) => ({ headers: { ...headers, ...more }, body }),
  }
}

/** Sends Basic credentials without the form encoding of RFC 6749 §2.3.1, for a provider that does not decode them. */
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

/** Makes a Basic Authorization header (RFC 7617), in UTF-8. */
export function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

/** Applies a provider's quirks to one answer of its token endpoint. */
export async function mendAnswer(response: Response, quirks: readonly Quirk[]): Promise<Response> {
  const text = await response.text()
  const fields = readFields(text, quirks)
  // A body that is not an object is left for the protocol library to refuse.
  if (!fields) return new Response(text || null, response) // a 204 may not even have an empty body
  let answer: TokenAnswer = { status: response.status, fields }
  for (const quirk of quirks) answer = quirk.answer?.(answer) ?? answer
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  // RFC 6749 §5.2: the body has the error. The protocol library would read a gateway's challenge first, as bad client credentials.
  if (typeof answer.fields.error === 'string') headers.delete('www-authenticate')
  return new Response(JSON.stringify(answer.fields), {
    // RFC 6749 §5.1 requires 200; some providers send 201.
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

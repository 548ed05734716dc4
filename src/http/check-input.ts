import type { z } from 'zod'
import { ApiError } from '../errors/api-error.ts'
import type { HttpRequest } from './types.ts'

/** The most problems that one answer names. */
const MAX_DETAILS = 20
/** The most entries of a list that are looked at one by one. */
const MAX_ENTRIES = 1000

/** Parses input by a schema. Throws ApiError VALIDATION_ERROR that names up to twenty problems at once, each with its path. */
export function checkInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const long = Object.entries(input ?? {}).find(([, value]) => Array.isArray(value) && value.length > MAX_ENTRIES)
  if (long) throw notValid([{ path: long[0].slice(0, MAX_NAME), message: `must have at most ${MAX_ENTRIES} entries` }])
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const details = result.error.issues.flatMap(issue =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.slice(0, MAX_DETAILS).map(key => ({
          path: [...issue.path, key.slice(0, MAX_NAME)].join('.'),
          message: 'is not a field that can be set here',
        }))
      : [{ path: issue.path.join('.'), message: issue.message }],
  )
  const once = new Map(details.map(detail => [`${detail.path} ${detail.message}`, detail]))
  throw notValid([...once.values()])
}

/** The most characters of a field's name that are repeated. */
const MAX_NAME = 100

function notValid(details: readonly { readonly path: string; readonly message: string }[]): ApiError {
  const named = details.slice(0, MAX_DETAILS)
  const more = details.length > named.length ? [`and ${details.length - named.length} more`] : []
  const text = [...named.map(({ message, path }) => `${path} ${message}`), ...more].join('; ')
  return new ApiError('VALIDATION_ERROR', `not valid: ${text}`, named)
}

/** Parses the JSON body of a request by a schema. Throws ApiError VALIDATION_ERROR. */
export function checkJson<Schema extends z.ZodType>(schema: Schema, { body }: HttpRequest): z.output<Schema> {
  if (body.kind === 'json') return checkInput(schema, body.json)
  if (body.kind === 'unreadable') throw new ApiError('VALIDATION_ERROR', body.reason, [], { status: body.status })
  throw new ApiError('VALIDATION_ERROR', 'the body must be application/json', [], { status: body.kind === 'form' ? 415 : 400 })
}

/** Parses the query of a request by a schema. Throws ApiError VALIDATION_ERROR, also for a parameter that is given twice. */
export function checkQuery<Schema extends z.ZodType>(schema: Schema, { query }: HttpRequest): z.output<Schema> {
  const seen = new Set<string>()
  for (const name of query.keys()) {
    if (seen.has(name)) throw notValid([{ path: name.slice(0, MAX_NAME), message: 'is given more than once' }])
    seen.add(name)
  }
  return checkInput(schema, Object.fromEntries(query))
}

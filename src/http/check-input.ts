import type { z } from 'zod'
import { ApiError } from '../errors/api-error.ts'
import type { HttpRequest } from './types.ts'

/** Parses input by a schema. Throws ApiError VALIDATION_ERROR that names every problem at once, each with its path. */
export function checkInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const details = result.error.issues.flatMap(issue =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(key => ({ path: [...issue.path, key].join('.'), message: 'is not a field that can be set here' }))
      : [{ path: issue.path.join('.'), message: issue.message }],
  )
  throw new ApiError(
    'VALIDATION_ERROR',
    `not valid: ${details.map(({ message, path }) => `${path} ${message}`).join('; ')}`,
    details,
  )
}

/** Parses the JSON body of a request by a schema. Throws ApiError VALIDATION_ERROR. */
export function checkJson<Schema extends z.ZodType>(schema: Schema, { body }: HttpRequest): z.output<Schema> {
  if (body.kind === 'json') return checkInput(schema, body.json)
  if (body.kind === 'unreadable') throw new ApiError('VALIDATION_ERROR', body.reason, [], { status: body.status })
  throw new ApiError('VALIDATION_ERROR', 'the body must be application/json', [], { status: body.kind === 'form' ? 415 : 400 })
}

/** Parses the query of a request by a schema. Throws ApiError VALIDATION_ERROR, also for a parameter that is given twice. */
export function checkQuery<Schema extends z.ZodType>(schema: Schema, { query }: HttpRequest): z.output<Schema> {
  for (const name of query.keys()) {
    if (query.getAll(name).length > 1) {
      throw new ApiError('VALIDATION_ERROR', 'the request is not valid', [{ path: name, message: 'is given more than once' }])
    }
  }
  return checkInput(schema, Object.fromEntries(query))
}

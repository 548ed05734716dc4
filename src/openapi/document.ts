import { z } from 'zod'
import { APP_ID_PATTERN } from '../base/ids.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Config } from '../options/config.ts'
import type { Services } from '../options/context.ts'
import type { Endpoint } from '../server/routes.ts'
import { describeOperations, type Operation } from './operations.ts'

/** Makes the OpenAPI 3.1 document of the mounted routes, from the schemas that check their input. */
export function openapiDocument(
  config: Config<never>,
  services: Pick<Services, 'grants'>,
  endpoints: readonly Endpoint[],
): JsonObject {
  const operations = describeOperations(config, services)
  const paths: Record<string, Record<string, Json>> = {}
  for (const { path, routes } of endpoints) {
    for (const [method, route] of routes) {
      const name = path.startsWith(config.servedPath) ? path.slice(config.servedPath.length) : path
      const operation = operations[`${method} ${name}`]
      // A further path of the same discovery document.
      if (!operation) continue
      const signedIn = route.access === 'user' || route.access === 'admin'
      const template = path.replace(/:(\w+)/g, '{$1}')
      const described = { ...describe(operation, path), ...(signedIn ? { security: [{ login: [] }] } : {}) }
      paths[template] = { ...paths[template], [method.toLowerCase()]: described }
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'OAuth 2 authorization server', version: '1' },
    servers: [{ url: `${config.origin}${config.proxyPath}` }],
    paths,
    components: {
      securitySchemes: { login: { type: 'http', scheme: 'bearer', description: 'Whatever the host’s own login accepts.' } },
    },
  }
}

function describe(
  { answers, body, bodyOptional = false, formOnly = false, formToo = false, proof = false, query, summary }: Operation,
  path: string,
): JsonObject {
  const parameters = [...parametersOf(path), ...queryParameters(query), ...(proof ? [PROOF_HEADER] : [])]
  const schema = body && jsonSchema(body, 'input')
  const content = schema && {
    ...(formOnly ? {} : { 'application/json': { schema } }),
    ...(formToo || formOnly ? { 'application/x-www-form-urlencoded': { schema } } : {}),
  }
  return {
    summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(content ? { requestBody: { required: !bodyOptional, content } } : {}),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [
        status,
        {
          description: DESCRIPTIONS[Number(status)] ?? '',
          ...(answer ? { content: { 'application/json': { schema: jsonSchema(answer, 'output') } } } : {}),
        },
      ]),
    ),
  }
}

/** RFC 9449 §4.1 */
const PROOF_HEADER: JsonObject = { name: 'DPoP', in: 'header', required: false, schema: { type: 'string' } }

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  200: 'Done',
  201: 'Created',
  204: 'Done',
  302: 'Redirected',
  303: 'Redirected',
  400: 'The request is not valid',
  401: 'Not signed in, or not authenticated',
  403: 'Not allowed',
  404: 'Not there',
  409: 'A concurrent change came first',
  413: 'Too large',
  415: 'Unsupported media type',
  429: 'Too many requests',
  500: 'An unexpected condition',
  502: 'An outside provider gave no usable answer',
  503: 'The store, or an outside provider, does not answer',
}

function parametersOf(path: string): readonly JsonObject[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'appId' ? { type: 'string', pattern: APP_ID_PATTERN } : { type: 'string' },
  }))
}

function queryParameters(query: z.ZodObject | undefined): readonly JsonObject[] {
  if (!query) return []
  const { properties, required } = jsonSchema(query, 'input') as {
    properties: Record<string, Json>
    required?: readonly string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required?.includes(name) ?? false,
    schema,
  }))
}

/** Converts a schema. OpenAPI 3.1 uses JSON Schema 2020-12, so `$schema` is left out. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest as JsonObject
}

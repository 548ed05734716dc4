import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Authmount, JsonObject } from 'authmount'

interface Described {
  readonly responses: Readonly<
    Record<string, { readonly content?: { readonly 'application/json': { readonly schema: JsonObject } } }>
  >
}
type Paths = Readonly<Record<string, Readonly<Record<string, Described>>>>

/** By the routes of a server: answers are described alike whatever its options, and a document takes longer than most tests. */
const documents = new Map<string, Paths>()
const names = new WeakMap<Authmount, string>()
const compiled = new WeakMap<object, ValidateFunction>()
const ajv = new Ajv2020({ strict: false })
addFormats.default(ajv)

/** Throws when an answer of authmount's is not one that its own OpenAPI document describes. */
export function assertDescribed(authmount: Authmount, method: string, response: Response, text: string): void {
  const endpoint = authmount.find(new URL(response.url).pathname)?.endpoint
  if (!endpoint || !['GET', 'POST', 'PUT', 'DELETE'].includes(method) || response.status === 405) return
  const name = names.get(authmount) ?? JSON.stringify(authmount.endpoints.map(({ path, routes }) => [path, ...routes.keys()]))
  names.set(authmount, name)
  const paths = documents.get(name) ?? (authmount.openapi().paths as unknown as Paths)
  documents.set(name, paths)

  const operation = paths[endpoint.path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
  // The metadata stand at more paths than the document repeats.
  if (!operation && endpoint.path.includes('/.well-known/')) return
  const what = `${method} ${endpoint.path} answering ${response.status}`
  const described = operation?.responses[response.status]
  if (!described) throw new Error(`${what} is not described`)
  if (response.headers.get('content-type')?.startsWith('text/html')) return
  const schema = described.content?.['application/json'].schema
  if (!schema) {
    if (text !== '') throw new Error(`${what} has a body that is not described`)
    return
  }
  const validate = compiled.get(schema) ?? ajv.compile(schema)
  compiled.set(schema, validate)
  if (!validate(JSON.parse(text))) throw new Error(`${what} is not as described: ${ajv.errorsText(validate.errors)}: ${text}`)
}

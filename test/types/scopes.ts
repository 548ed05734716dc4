/** Compiled, not run: the names of the scopes are types. */
import { type Authmount, type AuthmountOptions, createAuthmount, type HttpRequest, type ScopeDefinition } from 'authmount'
import { authmountRouter, requireToken as onExpress } from 'authmount/express'
import authmountPlugin, { requireToken as onFastify } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import { createVerifier } from 'authmount/verify'
import express, { type Request } from 'express'
import Fastify, { type FastifyRequest } from 'fastify'

const issuer = 'https://a.example'
const store = memoryStore()
const scopes = { 'records:read': { description: 'Read' }, 'records:write': { description: 'Write' } }

const plain = createAuthmount({ issuer, store, scopes, authenticate: () => null })
onExpress(plain)
onExpress(plain, { scopes: ['records:read', 'records:write'] })
// @ts-expect-error: not in the catalogue
onExpress(plain, { scopes: ['records:reed'] })
onFastify(plain, { scopes: ['records:read'] })
// @ts-expect-error: not in the catalogue
onFastify(plain, { scopes: ['records:reed'] })
plain.guard({ scopes: ['records:read'] })
// @ts-expect-error: not in the catalogue
plain.guard({ scopes: ['records:reed'] })
// @ts-expect-error: not in the catalogue
plain.checkToken('…', { scopes: ['records:reed'] })

// The catalogue written in place, and the framework's request named by the parameter of `authenticate`.
const typed = createAuthmount({
  issuer,
  store,
  scopes: { 'records:read': { description: 'Read', userOnly: true }, 'records:write': { description: 'Write' } },
  defaultScopes: ['records:read'],
  authenticate: ({ native }: HttpRequest<Request>) => (native.secure ? null : undefined),
})
express()
  .use(authmountRouter(typed))
  .get('/', onExpress(typed, { scopes: ['records:write'] }))
// @ts-expect-error: not in the catalogue
onExpress(typed, { scopes: ['records:reed'] })

const typedForFastify = createAuthmount({
  issuer,
  store,
  scopes,
  authenticate: async ({ native }: HttpRequest<FastifyRequest>) => (native.url ? null : null),
})
Fastify().register(authmountPlugin, { authmount: typedForFastify })
// @ts-expect-error: not in the catalogue
onFastify(typedForFastify, { scopes: ['records:reed'] })

// A catalogue whose names the compiler does not know, an explicit request type, and a verifier: any name.
declare const catalogue: Readonly<Record<string, ScopeDefinition>>
onExpress(createAuthmount({ issuer, store, scopes: catalogue, authenticate: () => null }), { scopes: ['anything'] })
onExpress(createAuthmount<Request>({ issuer, store, scopes, authenticate: () => null }), { scopes: ['anything'] })
onExpress(createVerifier({ issuer, audience: issuer }), { scopes: ['anything'] })

// Code that works with any server takes one whose scopes are known, and options that are.
export const anyServer: Authmount = plain
export const anyOptions: AuthmountOptions = { issuer, store, scopes, authenticate: () => null }
export const names: Authmount<unknown, 'records:read' | 'records:write'> = plain

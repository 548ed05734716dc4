import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { outputOf, type Packed, ROOT } from './packed.ts'

/** Not a file of its own, because a global declaration would hold for all of this repository. */
const HOST = `
import { createAuthmount, type TokenInfo } from 'authmount'
import { requireToken as onExpress } from 'authmount/express'
import { requireToken as onFastify } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import express from 'express'
import Fastify from 'fastify'

declare global {
  namespace Express {
    interface Request { oauth: TokenInfo }
  }
}
declare module 'fastify' {
  interface FastifyRequest { oauth: TokenInfo & { readonly plan?: string } }
}

const authmount = createAuthmount({
  issuer: 'https://a.example',
  store: memoryStore(),
  scopes: { read: { description: 'Read' } },
  authenticate: () => null,
})
express().get('/', onExpress(authmount, { scopes: ['read'] }), ({ oauth }, response) => void response.json(oauth.userId))
Fastify().get('/', { preHandler: onFastify(authmount, { scopes: ['read'] }) }, async ({ oauth }) => oauth.userId ?? oauth.plan)
`

/** A host that declares `request.oauth` itself compiles, and needs no cast behind a guard. */
export function testOwnRequest(t: Test, { folder: project }: Packed): void {
  t.test('a host may declare request.oauth itself, as what it is behind a guard', async t => {
    const folder = join(project, 'own-request')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), '{"type":"module","private":true}')
    await writeFile(join(folder, 'host.ts'), HOST)
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2023', strict: true, noEmit: true, types: ['node'] },
      ...{ esModuleInterop: true, skipLibCheck: true },
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['host.ts'] }))
    const args = ['node_modules/typescript/bin/tsc', '-p', folder]
    t.same(await outputOf(process.execPath, args, ROOT), { failed: false, text: '' })
  })
}

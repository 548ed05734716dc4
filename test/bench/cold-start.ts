import { execFileSync } from 'node:child_process'
import { median } from './rows.ts'

/** How long a new process takes, in milliseconds. */
export interface ColdStart {
  /** `import 'authmount'`. Target: 200. */
  readonly importMs: number
  /** From there to the answer of the first token request: the server is made, an app registered. Target: 50. */
  readonly firstTokenMs: number
}

/** Medians of new processes, one after the other. The package is imported as it is built, without a compiler in the process. */
export function coldStart(processes: number): ColdStart {
  const starts: readonly ColdStart[] = Array.from({ length: processes }, () =>
    JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], { encoding: 'utf8' })),
  )
  return {
    importMs: median(starts.map(({ importMs }) => importMs)),
    firstTokenMs: median(starts.map(({ firstTokenMs }) => firstTokenMs)),
  }
}

const PROGRAM = `
const began = performance.now()
const { createAuthmount } = await import('authmount')
const imported = performance.now()
const { memoryStore } = await import('authmount/stores/memory')
const authmount = createAuthmount({
  issuer: 'http://localhost',
  store: memoryStore(),
  authenticate: () => null,
  scopes: { 'read:records': { description: 'Read your records' } },
})
const app = { name: 'Bench', allowedScopes: ['read:records'], allowedGrantTypes: ['client_credentials'] }
const { clientId, clientSecret } = await authmount.registerApp(app, { orgId: 'bench', userId: 'bench' })
const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret })
const rest = { method: 'POST', params: {}, query: new URLSearchParams(), headers: {}, ip: undefined, native: undefined }
const { status } = await authmount.dispatch(authmount.find('/oauth/token').endpoint, { ...rest, body: { kind: 'form', form } })
if (status !== 200) throw new Error('no token: ' + status)
console.log(JSON.stringify({ importMs: imported - began, firstTokenMs: performance.now() - imported }))
`

export function formatColdStart({ firstTokenMs, importMs }: ColdStart): string {
  return `cold start: import ${importMs.toFixed(0)} ms (target 200), first token ${firstTokenMs.toFixed(0)} ms after it (target 50)`
}

/** What the documentation says, held against the code: links, options, events, codes and messages. */
import { spawn } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { authmountRouter, requireToken } from 'authmount/express'
import express, { type RequestHandler } from 'express'
import t, { type Test } from 'tap'
import { tsImport } from 'tsx/esm/api'
import ts from 'typescript'
import { sectionNames, withTables } from '../docs/.vitepress/options.ts'
import { OPTIONS } from '../src/options/table.ts'
import { frameworks, listen, type Mount, startHost } from './support/host.ts'

const ROOT = resolve(import.meta.dirname, '..')
const read = (path: string) => readFile(join(ROOT, path), 'utf8')
const docs = (await readdir(join(ROOT, 'docs'))).filter(name => name.endsWith('.md')).map(name => join('docs', name))
const pages = new Map(
  await Promise.all(
    ['README.md', 'CHANGELOG.md', 'examples/custom-store/README.md', ...docs].map(
      async path => [path, await read(path)] as const,
    ),
  ),
)
const page = (path: string) => pages.get(path) ?? ''

t.test('every relative link leads to a file, and to a heading of it', async t => {
  for (const [path, text] of pages) {
    for (const [, href = ''] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(href)) continue
      const [file = '', anchor] = href.split('#')
      const target = file === '' ? path : relative(ROOT, resolve(ROOT, dirname(path), file))
      const found = await access(join(ROOT, target)).then(
        () => true,
        () => false,
      )
      t.ok(found, `${path}: ${href}`)
      if (anchor !== undefined) t.ok(anchors(pages.get(target) ?? (await read(target))).has(anchor), `${path}: ${href}`)
    }
  }
})

t.test('the links of the README work on the page of npm, which resolves them by the repository', async t => {
  const { bugs, homepage, repository } = JSON.parse(await read('package.json'))
  const web = repository.url.replace(/^git\+(https:.*)\.git$/, '$1')
  t.match(web, /^https:\/\/github\.com\/[\w-]+\/[\w-]+$/)
  t.equal(homepage, `${web}#readme`)
  t.equal(bugs, `${web}/issues`)
  const hrefs = [...withoutCode(page('README.md')).matchAll(/\]\(([^)\s]+)\)/g)].map(([, href = '']) => href)
  t.ok(hrefs.length > 20)
  // From the root of the repository or within the page; the test above looks whether they are there.
  const wrong = hrefs.filter(href => !/^(https:\/\/|#|(docs|examples|test)\/|[A-Z]+(\.md)?$)/.test(href))
  t.strictSame(wrong, [])
  const files = await readdir(ROOT)
  const asTyped = hrefs.filter(href => /^[\w.-]/.test(href) && !href.includes(':')).map(href => href.split(/[/#]/)[0] ?? '')
  for (const first of asTyped) t.ok(files.includes(first), `${first}, in the case in which it is written`)
})

t.test('every page is on the front page, and in the sidebar', async t => {
  const sidebar = await read('docs/.vitepress/config.ts')
  for (const path of docs) {
    const name = path.slice('docs/'.length)
    if (name === 'index.md') continue
    t.match(page('docs/index.md'), `](${name})`, name)
    t.match(sidebar, `'/${name.replace('.md', '')}'`, name)
  }
})

t.test('the tables of the options are those of the code: `npm run docs:options` writes them', async t => {
  const text = page('docs/options.md')
  t.equal(unaligned(withTables(text)), unaligned(text))
  for (const name of sectionNames()) t.match(text, `<!-- options: ${name} -->`)
  for (const [file, type] of [
    ['src/options/principal.ts', 'Principal'],
    ['src/options/scopes.ts', 'ScopeDefinition'],
  ] as const) {
    const names = members(await source(file), type)
    t.ok(names.length > 0, type)
    for (const name of names) t.match(text, new RegExp(`\`${name}\\??\``), name)
  }
})

/** Tables without the spaces that align their columns. */
function unaligned(text: string): string {
  return text.replace(/^\|.*$/gm, row => row.replace(/ +(?=\|)/g, ' ').replace(/-{3,}/g, '---'))
}

t.test('every event is described', async t => {
  const types = [...(await read('src/base/events.ts')).matchAll(/(?:Of\w*<|\btype: )'(\w+)'/g)].map(([, type = '']) => type)
  t.ok(types.length > 20)
  for (const type of types) t.match(page('docs/operations.md'), `\`${type}\``, type)
})

t.test('every error code is described', async t => {
  for (const [file, type] of [
    ['src/errors/oauth-error.ts', 'OAuthErrorCode'],
    ['src/errors/api-error.ts', 'ApiErrorCode'],
    ['src/errors/connector-error.ts', 'ConnectorErrorCode'],
  ] as const) {
    const codes = literals(await source(file), type)
    t.ok(codes.length > 5, type)
    for (const code of codes) t.match(page('docs/troubleshooting.md'), `\`${code}\``, code)
  }
})

t.test('every finding of the doctor is on its page', async t => {
  const codes = literals(await source('src/doctor/finding.ts'), 'FindingCode')
  t.ok(codes.length > 40)
  const listed = [...page('docs/doctor.md').matchAll(/^\| `(\w+)` +\|/gm)].map(([, code = '']) => code)
  t.strictSame(listed.toSorted(), codes.toSorted())
})

t.test('the messages of the troubleshooting page are those of the code', async t => {
  const code = await everyFile()
  // Headings, and the first cells of tables.
  const places = page('docs/troubleshooting.md').match(/^(### .*|\| `[^|]*)/gm) ?? []
  const messages = places.flatMap(place =>
    [...place.matchAll(/`([^`]*)`/g)].map(([, said = '']) => said).filter(said => said.includes(' ')),
  )
  t.ok(messages.length > 60)
  for (const message of messages) {
    if (OTHERS.some(other => message.startsWith(other))) continue
    // A problem is prefixed with the name of its option, which the code puts there.
    const [first = '', ...rest] = message.split(' ')
    const said = Object.hasOwn(OPTIONS, first) ? rest.join(' ') : message
    const parts = said.split('…').filter(part => part.trim() !== '')
    t.ok(
      parts.every(part => code.includes(part)),
      message,
    )
  }
})

/** The code of the package. */
async function everyFile(): Promise<string> {
  const folders = ['src', 'adapters']
  const files = (await Promise.all(folders.map(folder => readdir(join(ROOT, folder), { recursive: true })))).flatMap(
    (names, index) => names.filter(name => name.endsWith('.ts')).map(name => join(folders[index] ?? '', name)),
  )
  return (await Promise.all(files.map(read))).join('\n')
}

/** Said by Node, TypeScript and browsers. */
const OTHERS = ['app.requireToken is not', 'Must use import to load', 'Cannot find module', "No 'Access-Control"]

for (const framework of ['express', 'fastify']) {
  t.test(`what “Get started” says works on ${framework}: a third-party app reads the API for a user`, async t => {
    const [host, app] = [await freePort(), await freePort()]
    const folder = await filesOf('docs/getting-started.md', { 3000: host, 4000: app }, t)
    start(join(folder, `start-${framework}.ts`), [], t)
    const origin = `http://localhost:${host}`
    await answering(`${origin}/login`)

    const credentials = new URLSearchParams({ name: 'anna', password: 'anna-demo' })
    const signedIn = await fetch(`${origin}/login`, { method: 'POST', body: credentials, redirect: 'manual' })
    const redirectUris = [`http://localhost:${app}/callback`]
    const created = await fetch(`${origin}/oauth-clients`, {
      method: 'POST',
      headers: { cookie: cookieOf(signedIn), 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Report builder', redirectUris, allowedScopes: ['read:records'] }),
    })
    t.equal(created.status, 201)
    const { clientId, clientSecret } = (await created.json()) as Record<string, string>
    start(join(folder, 'third-party-app.ts'), [String(clientId), String(clientSecret)], t)
    await answering(`http://localhost:${app}`)

    // A browser of somebody who has not been here before.
    const toAuthorize = await follow(`http://localhost:${app}`)
    const toLogin = await follow(toAuthorize.url)
    t.match(toLogin.url, `${origin}/login?returnTo=`)
    const back = await follow(toLogin.url, { method: 'POST', body: credentials })
    const toConsent = await follow(back.url, { headers: { cookie: back.cookie } })
    const consentId = new URL(toConsent.url).searchParams.get('consent_id') ?? ''
    const decided = await follow(`${origin}/oauth/authorize`, {
      method: 'POST',
      headers: { cookie: back.cookie },
      body: new URLSearchParams({ consent_id: consentId, consent: 'granted' }),
    })
    t.same(await (await fetch(decided.url)).json(), { records: ['Order more paper'], for: 'anna' })

    const again = await follow(toAuthorize.url, { headers: { cookie: back.cookie } })
    t.match(again.url, `http://localhost:${app}/callback?code=`, 'nobody is asked a second time')
  })
}

for (const framework of ['express', 'fastify']) {
  t.test(`what “Let agents call your API” says works on ${framework}`, async t => {
    const port = await freePort()
    const folder = await filesOf('docs/agents.md', { 3000: port }, t)
    start(join(folder, `mcp-${framework}.ts`), [], t)
    const origin = `http://localhost:${port}`
    await answering(origin)

    const refused = await fetch(`${origin}/mcp`, { method: 'POST' })
    t.equal(refused.status, 401)
    t.match(refused.headers.get('www-authenticate'), 'scope="notes:read"')
    const [, metadata = ''] = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
    t.match(await (await fetch(metadata)).json(), { resource: `${origin}/mcp`, authorization_servers: [origin] })

    const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    const app = { name: 'Agent', redirectUris: [], allowedGrantTypes: ['client_credentials'], allowedScopes: ['notes:read'] }
    const created = await fetch(`${origin}/oauth-clients`, { method: 'POST', headers: json, body: JSON.stringify(app) })
    const { clientId, clientSecret } = (await created.json()) as { clientId: string; clientSecret: string }
    const fields = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }
    const granted = await fetch(`${origin}/oauth/token`, { method: 'POST', body: new URLSearchParams(fields) })
    const { access_token: token } = (await granted.json()) as { access_token: string }
    const call = (name: string, args: object) =>
      fetch(`${origin}/mcp`, {
        method: 'POST',
        headers: { ...json, authorization: `Bearer ${token}` },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }),
      })
    t.match(await (await call('list_notes', {})).text(), '"result"')
    t.equal((await call('add_note', { text: 'x' })).status, 403)
  })
}

t.test('a client of node-oauth2-server keeps its id, its secret and what users have agreed to', async t => {
  const folder = await filesOf('docs/migrate-node-oauth2-server.md', {}, t)
  const { importClient } = await tsImport(join(folder, 'import-clients.ts'), import.meta.url)
  const { importConsent } = await tsImport(join(folder, 'import-consents.ts'), import.meta.url)
  const { createAuthmount } = await import('authmount')
  const { memoryStore } = await import('authmount/stores/memory')
  const store = memoryStore()
  const scopes = { read: { description: 'Read' } }
  const principal = { userId: 'anna', orgId: 'acme', isAdmin: false }
  const authmount = createAuthmount({ issuer: 'https://example.com', store, scopes, authenticate: () => principal })
  const id = '5f43a1c2e4b0a1b2c3d4e5f6'
  const redirectUris = ['https://app.example/cb']
  const grants = ['authorization_code', 'client_credentials', 'password']
  const old = { id, secret: 'an old secret', name: 'Old', redirectUris, grants, scopes: ['read'] }
  t.equal(await importClient(old, { orgId: 'acme', userId: 'anna' }, store), true)
  await importConsent('anna', id, ['read'], store)

  const ask = (method: string, path: string, query: string, form: Record<string, string> = {}) => {
    const found = authmount.find(path)
    if (!found) throw new Error(`${path} is not served`)
    const { endpoint, params } = found
    const body = { kind: 'form', form: new URLSearchParams(form) } as const
    return authmount.dispatch(endpoint, {
      method,
      params,
      query: new URLSearchParams(query),
      headers: {},
      body,
      ip: undefined,
      native: null,
    })
  }
  const credentials = { client_id: id, client_secret: 'an old secret' }
  t.equal((await ask('POST', '/oauth/token', '', { grant_type: 'client_credentials', ...credentials })).status, 200)
  const query = `response_type=code&client_id=${id}&redirect_uri=https://app.example/cb&scope=read&state=x`
  const answer = await ask('GET', '/oauth/authorize', query)
  t.match(answer.headers.location, /^https:\/\/app\.example\/cb\?code=/)

  const anna = { userId: 'anna' }
  await importConsent('anna', id, ['write'], store)
  await importConsent('anna', id, ['read'], store)
  const imported = await store.consents.get(anna, id)
  t.strictSame(imported?.scopes, ['read', 'write'], 'of several old records, the scopes of all')
  if (!imported) throw new Error('there is no consent')
  const expiresAt = Date.now() + 900_000
  await store.consents.save({ ...imported, scopes: [], version: imported.version + 1, expiresAt })
  await importConsent('anna', id, ['read'], store)
  t.strictSame((await store.consents.get(anna, id))?.scopes, [], 'nothing comes back over a withdrawal')
})

t.test('the functions of “Operations” end everything after a restore, and tell whether the store answers', async t => {
  const folder = await filesOf('docs/operations.md', {}, t)
  const { endEverything } = await tsImport(join(folder, 'after-restore.ts'), import.meta.url)
  const { checkStore } = await tsImport(join(folder, 'health.ts'), import.meta.url)
  if (!frameworks.express) throw new Error('no Express')
  const host = await startHost(frameworks.express)
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  const code = await host.approve(app)
  await endEverything(host.store, ['org-1'])
  t.equal(await host.records(access), 401)
  t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
  t.equal((await host.redeem(app, code)).body.error, 'invalid_grant')
  t.ok((await host.authorize(app)).params.code, 'nobody has to agree again')
  await checkStore(host.store)
  const apps = { ...host.store.apps, get: () => Promise.reject(new Error('down')) }
  await t.rejects(checkStore({ ...host.store, apps }), /down/)
})

t.test('every line of the log is described, and every one that is described is written', async t => {
  const code = await everyFile()
  const section =
    page('docs/operations.md')
      .split('\n## ')
      .find(part => part.startsWith('The log')) ?? ''
  const said =
    section.match(/^\| .*?`.*?\|/gm)?.flatMap(cell => [...cell.matchAll(/`([^`]*)`/g)].map(([, line = '']) => line)) ?? []
  t.ok(said.length > 20)
  const written = [...code.matchAll(/\blog\s*\.(?:error|warn)\(\s*(['"`])(.*?)\1/g)].map(([, , line = '']) => line)
  t.ok(written.length > 20)
  for (const line of written) {
    const [beginning = ''] = line.split('${')
    t.ok(beginning !== '' && said.some(row => row.startsWith(beginning.trim())), line)
  }
  for (const line of said.filter(line => line.includes(' ')))
    t.ok(
      line.split('…').every(part => code.includes(part.trim())),
      line,
    )
})

t.test('while an old server lives beside it, each token goes to the server that knows it', async t => {
  const { eitherToken, oldRefresh, oldToken } = await tsImport(
    join(await filesOf('docs/migrate-node-oauth2-server.md', {}, t), 'both-kinds.ts'),
    import.meta.url,
  )
  const old: RequestHandler = (_request, response) => {
    response.json({ by: 'the old server' })
  }
  const mount: Mount = async authmount => {
    const app = express()
    const form = express.urlencoded({ extended: false })
    app.post('/oauth/token', form, oldRefresh(old))
    app.post(['/oauth/revoke', '/oauth/introspect'], form, oldToken(old))
    app.use(authmountRouter(authmount))
    app.get('/records', eitherToken(requireToken(authmount, { scopes: ['read:records'] }), old), (_request, response) => {
      response.json({ by: 'authmount' })
    })
    return listen(app)
  }
  const host = await startHost(mount)
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  // Not by the test client, which knows the answers of authmount alone.
  const by = async (path: string, init: RequestInit) => {
    const response = await fetch(new URL(path, host.url), init)
    const answer = (await response.json()) as { readonly by?: string }
    return answer.by ?? response.status
  }
  const credentials = { client_id: app.clientId, client_secret: String(app.clientSecret) }
  const post = (path: string, fields: Record<string, string>) =>
    by(path, { method: 'POST', body: new URLSearchParams({ ...credentials, ...fields }) })
  const guarded = (token: string) => by('/records', { headers: { authorization: `Bearer ${token}` } })
  const redeem = (refresh_token: string) => post('/oauth/token', { grant_type: 'refresh_token', refresh_token })
  t.strictSame([await guarded(access), await guarded('0a1b')], ['authmount', 'the old server'])
  t.strictSame([await redeem(refresh), await redeem('0a1b')], [200, 'the old server'])
  for (const path of ['/oauth/introspect', '/oauth/revoke'])
    t.strictSame([await post(path, { token: access }), await post(path, { token: '0a1b' })], [200, 'the old server'], path)
  t.equal(await guarded(access), 401)
})

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, 'code')
}

/** As GitHub names the headings of a page. */
function anchors(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>()
  const headings = text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} +(.*)$/gm)
  return new Set(
    [...headings].map(([, heading = '']) => {
      const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/`/g, '')
      const slug = plain
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
        .replaceAll(' ', '-')
      const count = seen.get(slug) ?? 0
      seen.set(slug, count + 1)
      return count === 0 ? slug : `${slug}-${count}`
    }),
  )
}

async function source(path: string): Promise<ts.SourceFile> {
  return ts.createSourceFile(path, await read(path), ts.ScriptTarget.Latest, true)
}

/** The names of an interface's members; `Interface.member` for those of an object type inside. */
function members(file: ts.SourceFile, path: string): readonly string[] {
  const [name, inner] = path.split('.')
  const declared = file.statements.find(
    (node): node is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(node) && node.name.text === name,
  )
  const properties = declared?.members.filter(ts.isPropertySignature) ?? []
  if (inner === undefined) return properties.map(({ name }) => name.getText())
  const type = properties.find(({ name }) => name.getText() === inner)?.type
  return type && ts.isTypeLiteralNode(type) ? type.members.map(member => member.name?.getText() ?? '') : []
}

/** The strings of a union. */
function literals(file: ts.SourceFile, name: string): readonly string[] {
  const alias = file.statements.find(
    (node): node is ts.TypeAliasDeclaration => ts.isTypeAliasDeclaration(node) && node.name.text === name,
  )
  const types = alias && ts.isUnionTypeNode(alias.type) ? [...alias.type.types] : []
  return types.flatMap(type => (ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal) ? [type.literal.text] : []))
}

/** The files of a page, in a folder of their own, with other ports. */
async function filesOf(path: string, ports: Readonly<Record<number, number>>, t: Test): Promise<string> {
  await mkdir(join(ROOT, '.tap'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, '.tap', 'docs-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const [, name = '', code = ''] of page(path).matchAll(/^```ts file=(\S+)\n([\s\S]*?)^```/gm))
    await writeFile(
      join(folder, name),
      code.replace(/\b(3000|4000)\b/g, port => String(ports[Number(port)] ?? port)),
    )
  return folder
}

function start(file: string, args: readonly string[], t: Test): void {
  const env = { ...process.env, TSX_TSCONFIG_PATH: join(ROOT, 'tsconfig.json') }
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], { cwd: ROOT, env, stdio: 'inherit' })
  t.teardown(() => child.kill())
}

async function answering(url: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await fetch(url, { redirect: 'manual' }).then(Boolean, () => false)) return
    await sleep(100)
  }
  throw new Error(`${url} does not answer`)
}

/** Where a request is sent on to, and with which cookie. */
async function follow(url: string, init: RequestInit = {}): Promise<{ readonly url: string; readonly cookie: string }> {
  const response = await fetch(url, { ...init, redirect: 'manual' })
  return { url: new URL(response.headers.get('location') ?? '', url).href, cookie: cookieOf(response) }
}

function cookieOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map(cookie => cookie.split(';')[0])
    .join('; ')
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>(resolve => probe.listen(0, resolve))
  const address = probe.address()
  await new Promise(resolve => probe.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

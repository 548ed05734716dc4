import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { html } from '../http/reply.ts'
import type { HttpResponse } from '../http/types.ts'
import type { Config } from '../options/config.ts'
import type { Services } from '../options/context.ts'
import { escapeHtml } from '../pages/page.ts'
import { CONSOLE_STYLE } from './console-style.ts'
import { SCRIPTS } from './scripts.ts'

/** A request for a file of the console. */
export interface ConsoleRequest {
  /** The path below the console's mount path; `/` is the page. */
  readonly path: string
  /** The whole path, as the browser sent it. */
  readonly fullPath: string
  readonly headers: IncomingHttpHeaders
}

/** The page on which admins manage their apps, and its files. They are static and contain no data. */
export interface AppsConsole {
  readonly paths: readonly string[]
  /** Answers a request. Undefined if there is no such file. */
  answer(request: ConsoleRequest): HttpResponse | undefined
}

/** The parts of the server that the page shows. */
type Shown = Pick<Services, 'grants' | 'theme'>

/** Makes the page and the answers with its files. */
export function createConsole(config: Pick<Config<never>, 'clients' | 'loginUrl' | 'mountPath'>, services: Shown): AppsConsole {
  const { theme } = services
  const page = consolePage(config, services)
  const files = new Map([
    ['/console.css', asset('text/css', theme.style + CONSOLE_STYLE)],
    ...[...SCRIPTS].map(([name, text]) => [`/${name}`, asset('text/javascript', text)] as const),
  ])
  return {
    paths: ['/', ...files.keys()],
    answer({ fullPath, headers, path }) {
      // The page refers to its files by relative URLs, so it works under any mount path and proxy prefix.
      if (path === '/') return fullPath.endsWith('/') ? page : toFolder(fullPath)
      const file = files.get(path)
      if (!file || headers['if-none-match'] !== file.headers.etag) return file
      return { ...file, status: 304, body: '' }
    },
  }
}

function consolePage(
  { clients, loginUrl, mountPath }: Pick<Config<never>, 'clients' | 'loginUrl' | 'mountPath'>,
  { grants, theme }: Shown,
): HttpResponse {
  const choices = [...grants.values()].map(({ byDefault, name, summary, title }) => ({ name, title, summary, byDefault }))
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    ...(theme.logoUrl === null ? [] : [`img-src ${new URL(theme.logoUrl).origin}`]),
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    // Defence in depth: no script can turn text into markup or code.
    "trusted-types 'none'",
    "require-trusted-types-for 'script'",
  ]
  const logo = theme.logoUrl === null ? '' : `<img src="${escapeHtml(theme.logoUrl)}" alt="">`
  const text = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>OAuth apps</title>
<link rel="stylesheet" href="./console.css">
<script type="module" src="./console.js"></script>
</head>
<body data-api="${escapeHtml(`${mountPath}/oauth-clients`)}" data-login="${escapeHtml(loginUrl)}" data-agents="${clients !== null}" data-grants="${escapeHtml(JSON.stringify(choices))}">
<main>
<div class="brand">${logo}<bdi>${escapeHtml(theme.name)}</bdi></div>
<div class="notices"><p id="notice" role="status"></p><p id="problem" role="alert"></p></div>
<div id="secret"></div>
<div id="view" aria-busy="true"><h1>OAuth apps</h1><noscript>This page needs JavaScript.</noscript></div>
</main>
</body>
</html>
`
  return html(200, text, policy.join('; '))
}

/** Makes the answer with a file. Browsers revalidate it every time, so that they never mix the files of two versions. */
function asset(type: string, body: string): HttpResponse {
  const headers = {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-cache',
    etag: `"${hash('sha256', body, 'base64url')}"`,
    'x-content-type-options': 'nosniff',
  }
  return { status: 200, headers, body }
}

/** Redirects to the same path with a trailing slash. Relative, because a proxy may have removed a prefix. */
function toFolder(fullPath: string): HttpResponse {
  const location = `./${fullPath.slice(fullPath.lastIndexOf('/') + 1)}/`
  return { status: 302, headers: { location, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }, body: '' }
}

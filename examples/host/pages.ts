import type { User } from './users.ts'

export function loginPage(returnTo: string, wrong = false): string {
  return page(
    'Sign in',
    `${wrong ? '<p role="alert">Wrong name or password.</p>' : ''}
    <form method="post" action="/login">
      <input type="hidden" name="returnTo" value="${escapeHtml(returnTo)}">
      <p><label>Name <input name="name" autocomplete="username" required></label></p>
      <p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
      <button>Sign in</button>
    </form>
    <p>For the demo: anna / anna-demo, bert / bert-demo</p>`,
  )
}

export function homePage(user: User | null, authorizeUrl: string): string {
  const who = user
    ? `<p>You are ${escapeHtml(user.name)}.</p><form method="post" action="/logout"><button>Sign out</button></form>`
    : '<p><a href="/login">Sign in</a></p>'
  return page('Records', `${who}<p>An app asks for access: <a href="${escapeHtml(authorizeUrl)}">start</a></p>`)
}

/** Where the demo apps live: shows what an app would do next with what it was sent. */
export function callbackPage(query: URLSearchParams, command: string | null): string {
  const received = [...query]
    .map(([name, value]) => `<li><code>${escapeHtml(name)}</code>: <code>${escapeHtml(value)}</code></li>`)
    .join('')
  const next = command === null ? '' : `<p>Within a minute, paste this to redeem the code:</p><pre>${escapeHtml(command)}</pre>`
  return page('Back at the app', `<ul>${received}</ul>${next}`)
}

/** Only ever to a path of our own. */
export function safeReturnTo(returnTo: string | null | undefined): string {
  return returnTo && /^\/(?![/\\])/.test(returnTo) ? returnTo : '/'
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>${escapeHtml(title)}</title><style>body{font:1rem/1.5 system-ui;max-width:40rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}pre{white-space:pre-wrap}</style>
    <h1>${escapeHtml(title)}</h1>${body}</html>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

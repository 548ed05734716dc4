import type { User } from './users.ts'

export function loginPage(returnTo: string, wrong = false): string {
  return page(
    'Sign in',
    `${wrong ? '<p role="alert" class="bad">Wrong name or password.</p>' : ''}
    <form method="post" action="/login">
      <input type="hidden" name="returnTo" value="${escapeHtml(returnTo)}">
      <label>Name <input name="name" autocomplete="username" autocapitalize="none" required></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <button class="main">Sign in</button>
    </form>
    <p class="soft">For the demo: anna / anna-demo, bert / bert-demo</p>`,
  )
}

export function homePage(user: User | null, authorizeUrl: string): string {
  const who = user
    ? `<p>You are ${escapeHtml(user.name)}.</p>
      <ul>
        <li><a href="/oauth/connected-apps">Connected apps</a>: what you have allowed</li>
        <li><a href="/connections">Connections</a>: your accounts elsewhere that Records may use</li>
        ${user.isAdmin ? '<li><a href="/admin/oauth">Apps</a> of your organisation, which you manage</li>' : ''}
        <li><a href="/sign-out">Sign out</a></li>
      </ul>`
    : '<p><a href="/login">Sign in</a></p>'
  return page(
    'Records',
    `<p>An example host: its own users and an API, with authmount mounted on it.</p>
    <p><a class="button" href="/playground">Open the playground</a></p>
    <p class="soft">It lets an app in, step by step, and shows every request. Or see only what a user sees:
    <a href="${escapeHtml(authorizeUrl)}">an app asks for access</a>.</p>
    ${who}`,
  )
}

/** An outside account: what it holds, or null while it is not connected. */
export function connectionsPage({
  contacts,
  error,
}: {
  readonly contacts: readonly { readonly name: string; readonly phone: string }[] | null
  readonly error: string | null
}): string {
  const failed = error === null ? '' : `<p role="alert" class="bad">That did not work: ${escapeHtml(error)}</p>`
  const entries = (contacts ?? []).map(({ name, phone }) => `<li>${escapeHtml(name)}, ${escapeHtml(phone)}</li>`)
  const connected = `<p>Your contacts, read with a token that is refreshed when it is due:</p>
    <ul>${entries.join('')}</ul>
    <form method="post" action="/connections/disconnect"><button class="main">Disconnect</button></form>`
  const open = `<p>Connect your account at Contacts, another server on this machine, and Records can read your contacts.</p>
    <button class="main" id="connect">Connect Contacts</button>
    <script>
      document.getElementById('connect').onclick = async () => {
        const answer = await fetch('/connectors/contacts/oauth/authorize')
        location.assign((await answer.json()).authorizationUrl)
      }
    </script>`
  return page('Connections', `${failed}${contacts ? connected : open}<p><a href="/">Back</a></p>`)
}

/** Asks whether to sign out; `appName` is the app that wants it, if one does. */
export function signOutPage(returnTo: string, appName: string | null): string {
  const takeBack =
    appName === null
      ? ''
      : `<p>${escapeHtml(appName)} asks for it.</p>
      <label class="choice"><input type="checkbox" name="end_grants" value="true"> Also take back what ${escapeHtml(appName)} may do</label>`
  return page(
    'Sign out of Records?',
    `<form method="post" action="/sign-out">
      <input type="hidden" name="returnTo" value="${escapeHtml(returnTo)}">
      ${takeBack}
      <button class="main">Sign out</button>
    </form>
    <p><a href="${escapeHtml(returnTo)}">Stay signed in</a></p>`,
  )
}

/** Where the browser goes from the page above: back to authmount, which is told what the user wants taken back. */
export function afterSignOut({ end_grants, returnTo }: Readonly<Record<string, string | undefined>>): string {
  const path = safeReturnTo(returnTo)
  return end_grants === 'true' ? `${path}${path.includes('?') ? '&' : '?'}end_grants=true` : path
}

/** Where the demo apps live: shows what an app would do next with what it was sent. */
export function callbackPage(query: URLSearchParams, command: string | null): string {
  const received = [...query]
    .map(([name, value]) => `<li><code>${escapeHtml(name)}</code>: <code>${escapeHtml(value)}</code></li>`)
    .join('')
  const next = command === null ? '' : `<p>Within a minute, paste this to redeem the code:</p><pre>${escapeHtml(command)}</pre>`
  return page('Back at the app', `<ul>${received}</ul>${next}`)
}

/** Only ever to a path of our own: what a browser would read as another site, or tidy up into one, is not. */
export function safeReturnTo(returnTo: unknown): string {
  return typeof returnTo === 'string' && /^\/(?![/\\])[!-~]*$/.test(returnTo) ? returnTo : '/'
}

/** In the colours of authmount's own pages. */
const STYLE = `
:root{color-scheme:light dark;--back:#f1f3f7;--card:#fff;--text:#17191d;--soft:#565c66;--line:#d4d8df;--edge:#767d89;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--back:#0e1013;--card:#181b20;--text:#eef0f3;--soft:#a9b0bb;--line:#343a43;--edge:#8b93a0;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;font:1rem/1.5 system-ui,sans-serif;background:var(--back);color:var(--text);overflow-wrap:anywhere}
main{width:100%;max-width:29rem;padding:1.75rem;background:var(--card);border:1px solid var(--line);border-radius:1rem}
main>:last-child{margin-block-end:0}
h1{margin:0 0 .75rem;font-size:1.4rem;line-height:1.3}
a{color:inherit}
ul{padding-inline-start:1.2rem}
pre{white-space:pre-wrap}
.soft{color:var(--soft);font-size:.925rem}
.bad{color:var(--bad)}
label{display:block;margin-block:.75rem;font-weight:600}
input:not([type=checkbox]){display:block;width:100%;margin-block-start:.25rem;padding:.6rem .8rem;font:inherit;color:inherit;background:none;border:1px solid var(--edge);border-radius:.6rem}
.choice{display:flex;gap:.6rem;align-items:baseline;font-weight:400}
.main,.button{display:block;width:100%;padding:.7rem 1rem;margin-block:1.25rem .75rem;font:inherit;font-weight:600;text-align:center;text-decoration:none;color:#fff;background:#1d4ed8;border:1px solid #1d4ed8;border-radius:.6rem;cursor:pointer}
:focus-visible{outline:3px solid var(--text);outline-offset:2px}
`

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>${escapeHtml(title)}</title><link rel="icon" href="/playground/icon.svg"><style>${STYLE}</style>
    <main><h1>${escapeHtml(title)}</h1>${body}</main></html>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

import { hash } from 'node:crypto'

/** A whole page around `body`, which is already HTML. No script, nothing loaded from elsewhere. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
}

/** The Content-Security-Policy of a page made by {@link page}: it can be neither framed nor scripted. */
export function pagePolicy(formAction = "'none'"): string {
  return `default-src 'none'; style-src '${STYLE_HASH}'; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`
}

/**
 * What a page may post to, so that the answer reaches an app at `uri`. Browsers hold `form-action` against every redirect
 * that follows, so any https address the app goes on to is named as well; and a policy has no words for an IPv6 address.
 */
export function formTarget(uri: string): string {
  const { hostname, origin, protocol } = new URL(uri)
  return `https: ${origin === 'null' || hostname.startsWith('[') ? protocol : origin}`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0; padding: 2rem 1rem; overflow-wrap: anywhere }
main { max-width: 30rem; margin: auto }
h1 { font-size: 1.4rem; line-height: 1.3 }
form { display: flex; gap: 1rem; margin-top: 2rem }
button { flex: 1; padding: .75rem; font: inherit; border: 1px solid; border-radius: .5rem; background: none; color: inherit; cursor: pointer }
button.main { background: #1d4ed8; border-color: #1d4ed8; color: #fff }
`
const STYLE_HASH = `sha256-${hash('sha256', STYLE, 'base64')}`

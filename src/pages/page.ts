import { html } from '../http/reply.ts'
import type { HttpResponse } from '../http/types.ts'
import type { Language } from './language.ts'
import type { Theme } from './theme.ts'

/** The contents of a page. */
export interface Page {
  readonly theme: Theme
  readonly language: Language
  readonly title: string
  /** The body, as HTML. */
  readonly body: string
  /**
   * The targets of its forms, as sources of a Content-Security-Policy; null: any. Chromium applies `form-action` to every redirect
   * that follows a form, and an app may redirect its user to a loopback port or a private scheme. Default: none.
   */
  readonly formAction?: string | null
  /** The URL it leads to at once, without a script. */
  readonly refresh?: string
  /** URLs of its pictures. */
  readonly images?: readonly string[]
  /** The hashes of its inline scripts, as sources of a Content-Security-Policy. Default: none. */
  readonly scriptSource?: string
}

/** Renders one of authmount's pages. Its policy forbids framing, scripts and every resource that it does not name. */
export function renderPage(
  status: number,
  { body, formAction = "'none'", images = [], language, refresh, scriptSource, theme, title }: Page,
): HttpResponse {
  const logo = theme.logoUrl === null ? [] : [theme.logoUrl]
  const origins = [...new Set([...logo, ...images].map(url => new URL(url).origin))]
  const policy = [
    "default-src 'none'",
    `style-src ${theme.styleSource}`,
    ...(origins.length > 0 ? [`img-src ${origins.join(' ')}`] : []),
    ...(scriptSource === undefined ? [] : [`script-src ${scriptSource}`]),
    ...(formAction === null ? [] : [`form-action ${formAction}`]),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  const picture = theme.logoUrl === null ? '' : `<img src="${escapeHtml(theme.logoUrl)}" alt="">`
  const text = `<!doctype html>
<html lang="${language.tag}" dir="${language.direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">${refresh === undefined ? '' : `\n<meta http-equiv="refresh" content="0;url=${escapeHtml(refresh)}">`}
<title>${escapeHtml(title)}</title>
<style>${theme.style}</style>
</head>
<body>
<main>
<div class="brand">${picture}<bdi>${escapeHtml(theme.name)}</bdi></div>
${body}
</main>
</body>
</html>
`
  return html(status, text, policy.join('; '))
}

/** Fills in the placeholders of a message, and returns HTML: `values` are HTML, and the message is escaped. */
export function fill(message: string, values: Readonly<Record<string, string>>): string {
  return escapeHtml(message).replace(/\{(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder)
}

/** Fills in the placeholders of a message, and returns text. */
export function fillText(message: string, values: Readonly<Record<string, string>>): string {
  return message.replace(/\{(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder)
}

/** Escapes a text and isolates its direction, which may differ from that of the page. */
export function isolated(text: string): string {
  return `<bdi>${escapeHtml(text)}</bdi>`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

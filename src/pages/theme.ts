import { hash } from 'node:crypto'
import type { BrandingValues } from '../options/branding.ts'

/** The parts of the branding that every page needs, computed once. */
export interface Theme {
  readonly name: string
  readonly logoUrl: string | null
  readonly style: string
  /** The hash of the style, as a source of a Content-Security-Policy. */
  readonly styleSource: string
}

export function createTheme({ accentColor, css, logoUrl, name }: BrandingValues, issuer: string): Theme {
  const style = `${STYLE.replace('ACCENT', accentColor).replace('ON_IT', readableOn(accentColor))}${(css ?? '').replaceAll('</', '<\\/')}`
  const styleSource = `'sha256-${hash('sha256', style, 'base64')}'`
  return { name: name ?? new URL(issuer).host, logoUrl, style, styleSource }
}

/** Returns black or white, whichever has more contrast (WCAG 2.2, relative luminance): always more than 4.5 to 1. */
function readableOn(color: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => {
    const channel = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000' : '#fff'
}

/** The style of all pages. It uses logical properties, because some languages are written from right to left. */
const STYLE = `
:root{color-scheme:light dark;--accent:ACCENT;--on-accent:ON_IT;--back:#f1f3f7;--card:#fff;--text:#17191d;--soft:#565c66;--line:#d4d8df;--edge:#767d89;--warn:#8a4b00;--good:#0a6640;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--back:#0e1013;--card:#181b20;--text:#eef0f3;--soft:#a9b0bb;--line:#343a43;--edge:#8b93a0;--warn:#f0b45c;--good:#64d39c;--bad:#ff8a80}}
*{box-sizing:border-box}
html{font:100%/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--back);color:var(--text);overflow-wrap:anywhere}
main{inline-size:100%;max-inline-size:29rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:1.75rem}
.brand{display:flex;align-items:center;gap:.6rem;margin-block-end:1.5rem;font-weight:600;color:var(--soft)}
.brand img{block-size:1.75rem;max-inline-size:9rem;object-fit:contain}
h1{font-size:1.4rem;line-height:1.3;margin-block:0 .75rem}
h2{font-size:.95rem;margin-block:1.25rem .35rem}
p{margin-block:.6rem}
a{color:inherit}
a:hover{text-decoration-thickness:2px}
.app{display:flex;gap:.9rem;align-items:center;margin-block-end:.5rem}
.app>img,.app>.initial{flex:none;inline-size:3rem;block-size:3rem;border-radius:.75rem;object-fit:contain;background:var(--back)}
.app>.initial{display:grid;place-items:center;font-weight:600;font-size:1.3rem;color:var(--soft)}
.app h1{margin:0}
.soft{color:var(--soft);font-size:.925rem}
.badge{display:inline-flex;gap:.35rem;align-items:center;font-size:.875rem;font-weight:600}
.badge.good{color:var(--good)}
.badge.warn{color:var(--warn)}
.who{display:flex;flex-wrap:wrap;gap:.25rem .75rem;justify-content:space-between;border-block:1px solid var(--line);padding-block:.75rem;margin-block:1rem}
ul{margin:0;padding:0;list-style:none}
li{padding-block:.45rem;padding-inline-start:1.6rem;position:relative}
li::before{content:"";position:absolute;inset-inline-start:.15rem;inset-block-start:.85rem;inline-size:.7rem;block-size:.35rem;border:solid var(--soft);border-width:0 0 2px 2px;transform:rotate(-45deg)}
ul.plain li{padding-inline-start:0;border-block-end:1px solid var(--line);padding-block:1rem}
ul.plain li:last-child{border:0}
ul.plain li::before{content:none}
.mark{border:1px solid currentColor;border-radius:.35rem;padding:0 .35rem;font-size:.8125rem;white-space:nowrap;color:var(--soft)}
.mark.warn{color:var(--warn)}
.choice{display:flex;gap:.75rem;align-items:start;min-block-size:1.75rem;cursor:pointer}
.choice input{flex:none;inline-size:1.25rem;block-size:1.25rem;margin:.15rem 0 0;accent-color:var(--accent)}
details{margin-block:.75rem}
summary{cursor:pointer;padding-block:.35rem;font-size:.925rem}
.actions{display:flex;gap:.75rem;margin-block-start:1.5rem}
button,.button{flex:1;min-block-size:2.9rem;padding:.6rem 1rem;font:inherit;font-weight:600;border:1px solid var(--edge);border-radius:.6rem;background:none;color:inherit;cursor:pointer}
a.button{text-align:center;text-decoration:none}
button.main,a.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
button.danger{color:var(--bad);border-color:currentColor}
button:hover,a.button:hover{filter:brightness(1.08)}
:focus-visible{outline:3px solid var(--text);outline-offset:2px}
.links{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin-block:1.25rem 0;font-size:.875rem;color:var(--soft)}
dl{margin:0;font-size:.875rem}
dt{color:var(--soft);margin-block-start:.5rem}
dd{margin:0}
label{display:block;font-weight:600;font-size:.925rem;margin-block:1rem .35rem}
input:not([type=hidden]){inline-size:100%;min-block-size:2.9rem;padding:.5rem .75rem;font:inherit;font-size:1.15rem;letter-spacing:.1em;text-transform:uppercase;color:inherit;background:var(--card);border:1px solid var(--edge);border-radius:.6rem}
.code{letter-spacing:.1em;white-space:nowrap}
code{font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:.875em}
@media (max-width:26rem){body{padding:0;place-items:start stretch}main{border:0;border-radius:0;padding:1.25rem;min-block-size:100vh}.actions{flex-direction:column}}
@media (forced-colors:active){button.main,a.main{border:3px solid}}
`

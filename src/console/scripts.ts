import { readFileSync } from 'node:fs'

/**
 * The modules of the console, by name; the page loads `console.js`.
 *
 * `npm run build` replaces this file in `dist` with one that contains their text, so that a bundle of a host needs no file
 * beside it. From the sources, tests and `npm start` read the files themselves and are never stale.
 */
export const SCRIPTS: ReadonlyMap<string, string> = new Map(
  [
    'console.js',
    'agent-list.js',
    'api.js',
    'app-details.js',
    'app-form.js',
    'app-list.js',
    'ask.js',
    'dom.js',
    'form-fields.js',
    'notices.js',
    'router.js',
    'show-secret.js',
    'token-list.js',
  ].map(name => [name, readFileSync(new URL(`./browser/${name}`, import.meta.url), 'utf8')]),
)

/** @import { Sent } from './types.ts' */

/** Where curl keeps the session that signing in gives it. */
const JAR = '/tmp/session.jar'

/**
 * The same request, for a shell. `-i` shows the status and headers of the answer too.
 * @param {Sent} sent
 */
export function toCurl({ body, headers, method, session, url }) {
  const words = [`curl -si ${quote(url)}`]
  if (session === 'begins') words.push(`-c ${JAR}`)
  if (session === 'sent') words.push(`-b ${JAR}`)
  const form = headers['content-type'] === 'application/x-www-form-urlencoded'
  for (const [name, value] of Object.entries(headers)) {
    const basic = name === 'authorization' && /^Basic (.+)$/.exec(value)?.[1]
    if (basic) words.push(`-u ${quote(atob(basic))}`)
    // What curl says of a form by itself.
    else if (!(form && name === 'content-type')) words.push(`-H ${quote(`${name}: ${value}`)}`)
  }
  for (const part of form ? (body ?? '').split('&') : [body]) if (part !== null) words.push(`-d ${quote(part)}`)
  if (method === 'POST' && body === null) words.push('-X POST')
  return words.join(' \\\n  ')
}

/**
 * Where a person has to be asked, a shell sees no more than where the browser is sent first.
 * @param {string} url
 */
export function toCurlOfVisit(url) {
  return `# A person decides here, in a browser. What curl can see is where the browser is sent first:
curl -s -o /dev/null -w '%{http_code} %{redirect_url}\\n' -b ${JAR} ${quote(url)}`
}

/** The same values, made by a shell. */
export const PROOF_IN_SHELL = `VERIFIER=$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\\n')
CHALLENGE=$(printf %s "$VERIFIER" | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=\\n')
STATE=$(openssl rand -hex 16)
printf '%s\\n' "$VERIFIER" "$CHALLENGE" "$STATE"`

/** @param {string} text */
function quote(text) {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

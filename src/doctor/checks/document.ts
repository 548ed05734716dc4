import type { JsonObject } from '../../base/json.ts'
import { AGENTS, EVERY_CLIENT, type Report } from '../finding.ts'
import { type Answer, isRedirect, locationOf, shown } from '../probe.ts'

/** Returns the document of an answer, if it is one. Reports what clients cannot use, but not that nothing is there. */
export function readDocument(answer: Answer, report: Report): JsonObject | null {
  const { headers, json, status, url } = answer
  if (isRedirect(answer)) {
    report.finding({
      code: 'metadata_redirected',
      url,
      problem: `the document is redirected, ${shown(answer)}, and clients do not follow (RFC 8414 and RFC 9728 want a 200)`,
      stops: EVERY_CLIENT,
      cure: `serve /.well-known/oauth-* and openid-configuration without a redirect to https, to www or to another slash; or make the address that it leads to (${new URL(locationOf(answer)).origin}) the issuer, and give clients URLs there`,
    })
    return null
  }
  if (status !== 200) return null
  if (!json) {
    report.finding({
      code: 'metadata_not_json',
      url,
      problem: `a page stands where clients read JSON: ${shown(answer)}`,
      stops: EVERY_CLIENT,
      cure: 'mount authmount before the catch-all of the single-page app or the static files, and exempt /.well-known/ from it in the proxy: a 404 lets clients look elsewhere, a page with 200 does not',
    })
    return null
  }
  if (!/^application\/([\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '')) {
    report.finding({
      code: 'metadata_type',
      url,
      problem: `the document is sent as ${headers.get('content-type') ?? 'no media type'}, and must be application/json`,
      stops: ['openid-client', 'oauth4webapi', ...AGENTS],
      cure: 'let the answer through as authmount sends it: something in front sets its own Content-Type',
    })
  }
  return json
}

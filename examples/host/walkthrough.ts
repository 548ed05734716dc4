import { createHash, randomBytes } from 'node:crypto'
import type { SeededApps } from './authorization.ts'

/** What a person can open and paste to see the server at work. */
export interface Walkthrough {
  readonly authorizeUrl: string
  /** The curl command that redeems a code sent back to the public app. */
  redeemCommand(code: string): string
  readonly text: string
}

export function describeWalkthrough(
  framework: string,
  origin: string,
  { apps, hasConnector }: { readonly apps: SeededApps; readonly hasConnector: boolean },
): Walkthrough {
  const verifier = randomBytes(32).toString('base64url')
  const redirectUri = `${origin}/callback`
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: apps.public.clientId,
    redirect_uri: redirectUri,
    scope: 'openid profile read:records write:records',
    state: randomBytes(8).toString('hex'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const authorizeUrl = `${origin}/oauth/authorize?${query}`
  return {
    authorizeUrl,
    redeemCommand: code =>
      `curl -s ${origin}/oauth/token -d grant_type=authorization_code -d client_id=${apps.public.clientId} -d code_verifier=${verifier} -d redirect_uri=${redirectUri} -d code=${code}`,
    text: `
A host on ${framework} with its own users and an API, and authmount mounted on it: ${origin}

Open the playground, and walk through it all in your browser:

   ${origin}/playground

Manage your organisation's apps as its admin, after you have signed in as anna / anna-demo at ${origin}/login:

   ${origin}/admin/oauth
${
  hasConnector
    ? `
Connect an account elsewhere, as a user, once you have signed in (the other direction: here this host is the client):

   ${origin}/connections
`
    : ''
}
Or give an agent the address of the MCP server, and it connects by itself:

   ${origin}/mcp

Or walk by hand:

1. Open this, sign in as anna / anna-demo, and allow the app:

   ${authorizeUrl}

   The page you land on shows the command that redeems the code.
   Then call the API with the token:

   curl -s ${origin}/api/records -H 'Authorization: Bearer <access_token>'
   curl -s ${origin}/oauth/userinfo -H 'Authorization: Bearer <access_token>'

2. Or let an app act for itself:

   curl -s ${origin}/oauth/token -u '${apps.confidential.clientId}:${apps.confidential.clientSecret}' -d grant_type=client_credentials

3. Manage the organisation's apps as its admin, who signs in first:

   curl -s -c /tmp/anna.jar ${origin}/login -d name=anna -d password=anna-demo
   curl -s -b /tmp/anna.jar ${origin}/oauth-clients
   curl -s -b /tmp/anna.jar ${origin}/oauth-clients -H 'Content-Type: application/json' -d '{"name":"My app","redirectUris":["${redirectUri}"],"allowedScopes":["read:records"]}'
   curl -s -b /tmp/anna.jar -X POST ${origin}/oauth-clients/${apps.confidential.app.id}/revoke-all-tokens

4. What clients discover:

   curl -s ${origin}/.well-known/openid-configuration

Ctrl-C ends it; what is kept in memory is gone then.
`,
  }
}

import { withTimeout } from '../base/timeout.ts'
import { appForHost } from '../clients/app-for-host.ts'
import type { Context } from '../options/context.ts'
import type { CustomGrant, HostGrant, IssuedTokens, IssueOrder } from '../options/grants.ts'
import { handleByEngine } from './engine-grant.ts'
import type { TokenGrant, TokenRequest } from './grant.ts'
import { issueForHost } from './host-issue.ts'
import { paramsForHost } from './host-params.ts'
import type { Issued } from './issue.ts'

/** Converts a host's grant to one that the token endpoint runs. */
export function grantOfHost(extension: HostGrant): TokenGrant {
  const { name, parameters = {}, publicApps = false, summary = '', title = name } = extension
  return {
    name,
    title,
    summary,
    parameters,
    byDefault: false,
    provenAppsOnly: !publicApps,
    handle: (request, context) =>
      'grantType' in extension ? handleByEngine(extension, request, context) : handleByHost(extension, request, context),
  }
}

async function handleByHost({ handle, name }: CustomGrant, request: TokenRequest, context: Context): Promise<Issued> {
  let issued: Issued | undefined
  let closed = false
  const call = {
    app: appForHost(request.app),
    params: paramsForHost(request),
    async issue(order: IssueOrder): Promise<IssuedTokens> {
      if (closed) throw new TypeError(`the grant ${name} may issue tokens once, before its request is answered`)
      closed = true
      issued = await issueForHost(name, order, request, context)
      return tokensForHost(issued)
    },
  }
  await withTimeout(async () => handle(call), context.config.hookTimeoutMs, `the grant ${name}`).finally(() => {
    closed = true
  })
  if (!issued) throw new TypeError(`the grant ${name} returned without issuing tokens`)
  return issued
}

function tokensForHost({ accessToken, expiresInSeconds, grant, refreshToken, scopes }: Issued): IssuedTokens {
  return { accessToken, refreshToken, scopes, expiresIn: expiresInSeconds, grantId: grant.id }
}

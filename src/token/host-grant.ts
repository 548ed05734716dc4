import { appForHost } from '../clients/app-for-host.ts'
import type { Context } from '../options/context.ts'
import type { CustomGrant, EngineGrant, HostGrant, IssuedTokens, IssueOrder } from '../options/grants.ts'
import { handleByEngine } from './engine-grant.ts'
import type { TokenGrant, TokenRequest } from './grant.ts'
import { heard, type Issue, runForHost } from './host-issue.ts'
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
      isEngineGrant(extension) ? handleByEngine(extension, request, context) : handleByHost(extension, request, context),
  }
}

function isEngineGrant(extension: HostGrant): extension is EngineGrant {
  return 'grantType' in extension && extension.grantType !== undefined
}

function handleByHost(extension: CustomGrant, request: TokenRequest, context: Context): Promise<Issued> {
  const judge = async (issue: Issue) =>
    extension.handle({
      app: appForHost(request.app),
      params: paramsForHost(request),
      issue: (order: IssueOrder) => heard(issue(async () => order).then(tokensForHost)),
    })
  return runForHost(extension.name, judge, request, context)
}

function tokensForHost({ accessToken, expiresInSeconds, grant, refreshToken, scopes }: Issued): IssuedTokens {
  return { accessToken, refreshToken, scopes, expiresIn: expiresInSeconds, grantId: grant.id }
}

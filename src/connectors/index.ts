export { ConnectorError, type ConnectorErrorCode } from '../errors/connector-error.ts'
export type { ConnectorStatus, ConnectorToken } from './connector-tokens.ts'
export type { ConnectorOptions, ConnectorOwner } from './options.ts'
export * from './presets.ts'
export {
  checkProvider,
  type Provider,
  type ProviderCall,
  type ProviderEndpoints,
  type ProviderSites,
  type RevocableTokens,
  type SignInProvider,
} from './provider.ts'
export {
  bearerUnsaid,
  errorCodeIn,
  errorCodes,
  errorsUnder200,
  formAnswers,
  jsonRequests,
  nestedUnder,
  nullsForAbsent,
  plainBasic,
  type Quirk,
  scopeLists,
  scopesSeparatedBy,
  type TokenAnswer,
  type TokenRequest,
  withHeaders,
} from './quirks.ts'

export { ConnectorError, type ConnectorErrorCode } from '../errors/connector-error.ts'
export type { ConnectorStatus, ConnectorToken } from './connector-tokens.ts'
export type { ConnectorOptions, ConnectorOwner } from './options.ts'
export * from './presets.ts'
export { checkProvider, type Provider, type ProviderCall, type ProviderEndpoints, type SignInProvider } from './provider.ts'
export {
  bearerUnsaid,
  errorCodes,
  errorsUnder200,
  formAnswers,
  jsonRequests,
  nestedUnder,
  type Quirk,
  scopesSeparatedBy,
} from './quirks.ts'

export type { NewApp } from './apps/app-input.ts'
export type { AppView } from './apps/app-view.ts'
export type { AppOwner } from './apps/new-app.ts'
export type { RegisteredApp } from './apps/registered-app.ts'
export { createAuthmount } from './authmount.ts'
export type { AuthmountEvent } from './base/events.ts'
export type { Json, JsonObject } from './base/json.ts'
export type { Log } from './base/log.ts'
export type { EpochMs } from './base/time.ts'
export type { Decider } from './clients/admission.ts'
export type { ConnectorStatus, ConnectorToken } from './connectors/connector-tokens.ts'
export type { ConnectorOptions, ConnectorOwner } from './connectors/options.ts'
export type { CheckOptions, Finding, FindingCode } from './doctor/finding.ts'
export { ApiError, type ApiErrorCode, type Problem } from './errors/api-error.ts'
export { ConnectorError, type ConnectorErrorCode } from './errors/connector-error.ts'
export { OAuthError, type OAuthErrorCode } from './errors/oauth-error.ts'
export { OptionsError } from './errors/options-error.ts'
export { StoreError } from './errors/store-error.ts'
export type { RateLimit, RateLimiter, RateLimiterResult } from './http/rate-limiter.ts'
export type { Body, HttpRequest, HttpResponse } from './http/types.ts'
export type { EndedSession, SessionToEnd } from './logout/end-session.ts'
export type { Branding } from './options/branding.ts'
export type { ClientAuthenticationRequest, HostClientAuthentication } from './options/client-authentication.ts'
export type {
  AdmissionHook,
  ClientsOptions,
  MetadataDocumentSettings,
  RegistrationSettings,
  UnknownClient,
} from './options/clients.ts'
export type { DeviceDescription } from './options/device-description.ts'
export type {
  CustomGrant,
  EngineGrant,
  EngineGrantClass,
  GrantApp,
  GrantCall,
  GrantExtension,
  GrantOwner,
  HostGrant,
  IssuedTokens,
  IssueOrder,
} from './options/grants.ts'
export type { Lifetimes } from './options/lifetimes.ts'
export type { AuthmountOptions, ClaimsRequest, RenderedPage } from './options/options.ts'
export type { OutboundSettings } from './options/outbound.ts'
export type { Principal } from './options/principal.ts'
export type { RateLimitSetting, RateLimits } from './options/rate-limits.ts'
export type {
  AccessTokenClaimsHook,
  PolicyAnswer,
  PolicyHook,
  PolicyRequest,
  SessionFacts,
  TokenClaimsRequest,
} from './options/rules.ts'
export type { ScopeDefinition, ScopeTranslation } from './options/scopes.ts'
export type { KeyRotation } from './options/signing.ts'
export type { PassedStep, Step, StepsRequest } from './options/steps.ts'
export type { ResourceSettings } from './options/urls.ts'
export type { AskedScope, ConsentView } from './pages/consent-page.ts'
export type { Authmount } from './public.ts'
export type { Endpoint } from './server/routes.ts'
export type * from './store/store.ts'
export type { GuardedRequest, Guarding, TokenGuard, TokenInfo, TokenRequirements } from './tokens/token-guard.ts'

import { randomId } from '../base/crypto.ts'
import { newAppId, newGrantId } from '../base/ids.ts'
import type { App, Consent, Credential, Grant, OneTime, Token, TokenRef } from '../store/store.ts'

export { newAppId } from '../base/ids.ts'

/* These functions make records like those of the flows, under random ids. */

export function newApp(fields: Partial<App> = {}): App {
  return {
    id: newAppId(),
    orgId: newId(),
    createdBy: newId(),
    name: 'Contract',
    description: '',
    status: 'active',
    origin: 'host',
    authMethod: 'client_secret',
    secrets: [{ hash: newId(), createdAt: 1, usableUntil: null }],
    redirectUris: ['https://app.example/cb?x=%20'],
    allowedOrigins: ['capacitor://localhost'],
    dpopBoundAccessTokens: true,
    requirePushedAuthorizationRequests: true,
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['read', 'write'],
    accessTokenSeconds: 3600,
    refreshTokenSeconds: 604_800,
    profile: {},
    createdAt: 1000,
    updatedAt: 1000,
    epoch: 1,
    version: 1,
    ...fields,
  }
}

export function newGrant(fields: Partial<Grant> = {}): Grant {
  const appId = fields.appId ?? newAppId()
  return {
    id: newGrantId(appId),
    appId,
    orgId: newId(),
    userId: newId(),
    scopes: ['read', 'write'],
    createdAt: Date.now(),
    epoch: 1,
    context: {},
    ...fields,
  }
}

/** Makes a token that lives for ten minutes: longer than a case takes, in case a database sweeps by its own clock. */
export function newToken(kind: Token['kind'], fields: Partial<Token> = {}): Token {
  const now = Date.now()
  return { id: newId(), kind, scopes: ['read'], issuedAt: now, expiresAt: now + 600_000, ...fields }
}

export function newCode(fields: Partial<OneTime<'code'>> = {}): OneTime<'code'> {
  const appId = newAppId()
  return {
    kind: 'code',
    id: newId(),
    expiresAt: Date.now() + 600_000,
    data: {
      grantId: newGrantId(appId),
      appId,
      userId: newId(),
      orgId: newId(),
      redirectUri: 'https://app.example/cb',
      scopes: ['read'],
      codeChallenge: null,
      codeChallengeMethod: null,
      context: {},
      epoch: 1,
    },
    ...fields,
  }
}

export function newConsent(fields: Partial<Consent> = {}): Consent {
  return { owner: { userId: newId() }, appId: newAppId(), scopes: ['read'], grantedAt: 1000, version: 1, ...fields }
}

export function newCredential(fields: Partial<Credential> = {}): Credential {
  return {
    connectorId: newId(),
    ownerId: newId(),
    sealed: 'sealed',
    accessExpiresAt: null,
    leaseUntil: null,
    needsReconnect: false,
    version: 1,
    ...fields,
  }
}

export function refOf(grant: Grant, token: Token): TokenRef {
  return { grantId: grant.id, tokenId: token.id }
}

export function newId(): string {
  return randomId(32)
}

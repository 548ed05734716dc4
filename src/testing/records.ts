import { randomId, randomText } from '../base/crypto.ts'
import type { App, Grant, OneTime, Token, TokenRef } from '../store/store.ts'

/* Records as the flows write them, under ids of their own. */

export function newApp(fields: Partial<App> = {}): App {
  return {
    id: newClientId(),
    orgId: newId(),
    createdBy: newId(),
    name: 'Contract',
    description: '',
    status: 'active',
    confidential: true,
    secrets: [{ hash: newId(), createdAt: 1, expiresAt: null }],
    redirectUris: ['https://app.example/cb?x=%20'],
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
  const clientId = fields.clientId ?? newClientId()
  return {
    id: clientId + randomId(16),
    clientId,
    orgId: newId(),
    userId: newId(),
    scopes: ['read', 'write'],
    createdAt: Date.now(),
    epoch: 1,
    context: {},
    ...fields,
  }
}

export function newToken(kind: Token['kind'], fields: Partial<Token> = {}): Token {
  const now = Date.now()
  return { id: newId(), kind, scopes: ['read'], issuedAt: now, expiresAt: now + 600_000, ...fields }
}

export function newCode(fields: { readonly expiresAt?: number } = {}): OneTime<'code'> {
  const clientId = newClientId()
  return {
    kind: 'code',
    id: newId(),
    expiresAt: Date.now() + 60_000,
    data: {
      grantId: clientId + randomId(16),
      clientId,
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

export function refOf(grant: Grant, token: Token): TokenRef {
  return { grantId: grant.id, tokenId: token.id }
}

export function newId(): string {
  return randomId(32)
}

export function newClientId(): string {
  return randomText(12, 'hex')
}

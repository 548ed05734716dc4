import { randomBytes, randomUUID } from 'node:crypto'
import type { App, Grant, OneTime, Token } from 'authmount'

/** Records as the flows write them, for tests that speak to a store. */
export function newGrant(fields: Partial<Grant> = {}): Grant {
  const clientId = fields.clientId ?? newAppId()
  return {
    id: clientId + randomBytes(16).toString('base64url'),
    clientId,
    orgId: 'org-1',
    userId: null,
    scopes: ['read:records'],
    createdAt: Date.now(),
    epoch: 1,
    context: {},
    ...fields,
  }
}

export function newToken(kind: Token['kind'], fields: Partial<Token> = {}): Token {
  const now = Date.now()
  const id = randomBytes(32).toString('base64url')
  return { id, kind, scopes: ['read:records'], issuedAt: now, expiresAt: now + 3_600_000, ...fields }
}

export function newConsent(): OneTime<'consent'> {
  return {
    kind: 'consent',
    id: randomUUID(),
    expiresAt: Date.now() + 60_000,
    data: { userId: 'anna', sessionId: null, clientId: newAppId(), params: {} },
  }
}

export function newApp(fields: Partial<App> = {}): App {
  return {
    id: newAppId(),
    orgId: 'org-1',
    createdBy: 'anna',
    name: 'An app',
    description: '',
    status: 'active',
    confidential: false,
    secrets: [],
    redirectUris: ['https://app.example/cb'],
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['read:records'],
    accessTokenSeconds: 3600,
    refreshTokenSeconds: 86_400,
    profile: {},
    createdAt: Date.now(),
    updatedAt: Date.now(),
    epoch: 1,
    version: 1,
    ...fields,
  }
}

export function newAppId(): string {
  return randomBytes(12).toString('hex')
}

import { isDeepStrictEqual } from 'node:util'
import type OAuth2Server from '@node-oauth/oauth2-server'
import { randomId, sha256 } from '../base/crypto.ts'
import { type Audience, narrowAudience } from '../bearer/audience.ts'
import { narrow, requestedScopes, scopesOfApp, scopesWithoutUser } from '../clients/allowed-scopes.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Params } from '../http/params.ts'
import { grantContext } from '../oidc/grant-context.ts'
import type { Context } from '../options/context.ts'
import type { App, FoundToken, Grant, OneTime, Spent, TokenRef } from '../store/store.ts'
import { newGrantId } from '../tokens/opaque.ts'
import { openSuccessor, sealSuccessor } from '../tokens/sealed-successor.ts'
import { tokenRef } from '../tokens/token-ref.ts'
import { type Issued, type MadeTokens, makeTokens, type WantedTokens } from './issue.ts'

/** What a code stands for, as the store will say. */
export type PeekedCode = Promise<OneTime<'code'> | undefined>

/** A token request that may be answered: whose it is and what it asks for. */
export interface GrantRequest {
  readonly params: Params
  readonly app: App
  /** What its access token is to be for. */
  readonly audience: Audience
  /** The code's entry, already on its way. */
  readonly peeked: PeekedCode | undefined
}

/**
 * What the engine asks while it judges one token request of an app that has already been authenticated, and the tokens
 * that follow.
 *
 * One per request, because the engine forgets the old refresh token between revoking it and saving the new one:
 * here both are the same single write.
 */
export class GrantModel implements OAuth2Server.AuthorizationCodeModel, OAuth2Server.RefreshTokenModel {
  /** What stopped us, since the engine would wrap it and pass on its words. */
  failure: unknown
  readonly #params: Params
  readonly #app: App
  readonly #asked: Audience
  readonly #context: Context
  readonly #peeked: PeekedCode | undefined
  #code: OneTime<'code'> | undefined
  #refresh: Refresh | undefined
  /** The answer there has been to the same refresh token. */
  #repeated: Issued | undefined

  constructor({ app, audience, params, peeked }: GrantRequest, context: Context) {
    this.#params = params
    this.#app = app
    this.#asked = audience
    this.#peeked = peeked
    this.#context = context
  }

  /** Spends what was presented and writes the new tokens, once the engine has nothing against it. */
  async issue(): Promise<Issued> {
    if (this.#repeated) return this.#repeated
    if (this.#refresh) return this.#rotate(this.#refresh)
    if (this.#code) return this.#create(this.#code.data)
    throw new Error('the engine was content with nothing')
  }

  /** Writes a token for the app itself, which has proven who it is and presents nothing else. */
  issueToApp(): Promise<Issued> {
    return this.#create()
  }

  async getClient(): Promise<OAuth2Server.Client> {
    return this.#client()
  }

  getAuthorizationCode(code: string): Promise<OAuth2Server.AuthorizationCode | undefined> {
    return this.#guard(async () => {
      const entry = await (this.#peeked ?? this.#context.store.oneTime.peek('code', sha256(code)))
      // None of these consumes the code: another app's guess, or a mistyped address, must not burn it.
      if (entry?.data.clientId !== this.#app.id || entry.data.epoch !== this.#app.epoch) return undefined
      if (entry.data.redirectUri !== this.#params.get('redirect_uri')) return undefined
      // So is what it cannot be exchanged for.
      this.#audienceOf(entry.data)
      this.#code = entry
      const { codeChallenge, codeChallengeMethod, userId } = entry.data
      return {
        authorizationCode: code,
        client: this.#client(),
        user: { id: userId },
        // The store has already judged the expiry, by its own clock; the address has just been compared.
        expiresAt: NEVER,
        redirectUri: '',
        ...(codeChallenge && codeChallengeMethod ? { codeChallenge, codeChallengeMethod } : {}),
      }
    })
  }

  /** Consumed before the verifier is compared, so that a code allows one guess. */
  revokeAuthorizationCode(): Promise<boolean> {
    return this.#guard(async () => {
      const { store, events, now } = this.#context
      const code = this.#code
      if (!code) return false
      const consumed = await store.oneTime.consume('code', code.id, randomId(16))
      if (!consumed || consumed.first) return consumed?.first ?? false
      // RFC 6749 §4.1.2: a code used twice revokes what its first use was given.
      const { clientId, grantId, orgId, userId } = code.data
      const revoked = await store.grants.revoke(grantId)
      events.emit({ type: 'code_replay', at: now, clientId, grantId, orgId, userId, revoked })
      return false
    })
  }

  getRefreshToken(value: string): Promise<OAuth2Server.RefreshToken | undefined> {
    return this.#guard(async () => {
      const ref = tokenRef(value)
      if (ref?.kind !== 'refresh' || ref.clientId !== this.#app.id) return undefined
      const found = await this.#context.store.grants.find(ref)
      if (found?.token.kind !== 'refresh' || !this.#isOurs(found.grant)) return undefined
      this.#scopesOfRefresh(found.grant)
      this.#audienceOf(found.grant)
      if (found.spent) this.#repeated = await this.#repeat(value, found.grant, found.spent)
      this.#refresh = { value, ref, found }
      return { refreshToken: value, client: this.#client(), user: { id: found.grant.userId } }
    })
  }

  /** Spending the old token and saving the new ones is one write: see `issue`. */
  async revokeToken(): Promise<boolean> {
    return true
  }

  /** `issue` decides on scopes and makes the tokens, where the grant they belong to is known. */
  async validateScope(): Promise<string[]> {
    return []
  }

  async generateAccessToken(): Promise<string> {
    return MADE_LATER
  }

  async generateRefreshToken(): Promise<string> {
    return MADE_LATER
  }

  /** The last thing the engine does: it has nothing against the request. */
  async saveToken(): Promise<OAuth2Server.Token> {
    return { accessToken: MADE_LATER, client: this.#client(), user: {} }
  }

  /** Never called: bearer tokens are checked without the engine. */
  async getAccessToken(): Promise<undefined> {
    return undefined
  }

  /** Never called: authorization requests are answered without the engine. */
  async saveAuthorizationCode(): Promise<undefined> {
    return undefined
  }

  async #create(code?: OneTime<'code'>['data']): Promise<Issued> {
    const { store, events, now } = this.#context
    const grant = code ? this.#grantOfCode(code) : this.#grantOfApp()
    const { issued, tokens } = await this.#makeTokens(grant, { scopes: grant.scopes, refreshable: code !== undefined })
    if (!(await store.grants.create(grant, tokens))) throw this.#invalid()
    if (code) await this.#stillAgreed(code)
    const { id: grantId, clientId, orgId, userId, scopes } = grant
    const grantType = code ? 'authorization_code' : 'client_credentials'
    events.emit({ type: 'token_issued', at: now, clientId, grantId, orgId, userId, grantType, scopes })
    return issued
  }

  /**
   * A user who has taken back their consent has taken back the code. Looked at after the grant is there: whoever takes it
   * back deletes the consent first and sweeps the grants then, so that one of the two sees the other.
   */
  async #stillAgreed({ clientId, grantId, scopes, userId }: OneTime<'code'>['data']): Promise<void> {
    const { store } = this.#context
    const consent = await store.consents.get(userId, clientId)
    if (scopes.every(scope => consent?.scopes.includes(scope))) return
    await store.grants.revoke(grantId)
    throw this.#invalid()
  }

  #grantOfCode(code: OneTime<'code'>['data']): Grant {
    const { clientId, context, epoch, grantId, orgId, userId } = code
    // An app or a catalogue that has lost a scope since the user agreed does not get it back through an old code.
    const scopes = this.#stillAllowed(code.scopes)
    return { id: grantId, clientId, orgId, userId, scopes, createdAt: this.#context.now, epoch, context }
  }

  #grantOfApp(): Grant {
    const { config, now } = this.#context
    const { id: clientId, epoch, orgId } = this.#app
    const allowed = scopesWithoutUser(this.#app, config.scopes)
    const scope = this.#params.get('scope')
    const scopes = scope === undefined ? allowed : requestedScopes(scope, allowed)
    if (scopes.length === 0) throw new OAuthError('invalid_scope', 'this app has no scope it could use without a user')
    return { id: newGrantId(clientId), clientId, orgId, userId: null, scopes, createdAt: now, epoch, context: NO_CONTEXT }
  }

  async #rotate({ value, ref, found }: Refresh): Promise<Issued> {
    const { store, events, now } = this.#context
    const { grant } = found
    const { issued, tokens } = await this.#makeTokens(grant, { scopes: this.#scopesOfRefresh(grant), refreshable: true })
    const replay = await sealSuccessor(value, issued)

    const outcome = await store.grants.rotate(found, tokens, replay)
    if (outcome === 'missing') throw this.#invalid()
    if (outcome === 'reused') {
      const lost = await store.grants.find(ref)
      if (!lost?.spent) throw this.#invalid()
      return this.#repeat(value, lost.grant, lost.spent)
    }
    const { clientId, orgId, userId } = grant
    events.emit({ type: 'token_refreshed', at: now, clientId, grantId: grant.id, orgId, userId, scopes: issued.scopes })
    return issued
  }

  /**
   * Answers a refresh token that has been spent: within the grace, with the successor it was spent for, if that is
   * still unused (RFC 9700 §4.14.2 leaves how to tell a retry from a theft to us); otherwise the grant is over.
   */
  async #repeat(value: string, grant: Grant, spent: Spent): Promise<Issued> {
    const { config, store, events, now } = this.#context
    const graceMs = config.rotationGraceSeconds * 1000
    // This clock is read after the store has answered: one read before the spend would make any age look negative.
    if (graceMs > 0 && config.now() - spent.at <= graceMs) {
      const { accessToken, refreshToken } = await openSuccessor(value, spent.replay)
      const [refresh, access] = await Promise.all([this.#find(refreshToken), this.#find(accessToken)])
      // Gone means revoked since: nothing to hand out, and nobody to punish.
      if (!refresh || (!refresh.spent && !access)) throw this.#invalid()
      if (!refresh.spent && access) {
        // The answer is the one there was: it cannot become one for another resource.
        if (this.#asked && !isDeepStrictEqual(access.token.audience, this.#audienceOf(grant)))
          throw new OAuthError('invalid_target', 'this refresh has been answered for another resource: use its refresh token')
        const expiresInSeconds = Math.ceil((access.token.expiresAt - config.now()) / 1000)
        return { grant, accessToken, refreshToken, scopes: access.token.scopes, expiresInSeconds }
      }
    }
    const { id: grantId, clientId, orgId, userId } = grant
    if (await store.grants.revoke(grantId)) events.emit({ type: 'refresh_reuse', at: now, clientId, grantId, orgId, userId })
    throw this.#invalid()
  }

  async #find(token: string | undefined): Promise<FoundToken | undefined> {
    const ref = token === undefined ? undefined : tokenRef(token)
    return ref && this.#context.store.grants.find(ref)
  }

  #makeTokens(grant: Grant, { refreshable, scopes }: Omit<WantedTokens, 'audience'>): MadeTokens | Promise<MadeTokens> {
    return makeTokens(grant, { scopes, audience: this.#audienceOf(grant), refreshable }, this.#app, this.#context)
  }

  /** RFC 8707 §2.2: what the user was asked for, or as little of it as this token is to be for. */
  #audienceOf({ context }: Pick<Grant, 'context'>): Audience {
    return narrowAudience(grantContext(context).audience, this.#asked)
  }

  /** RFC 6749 §6: as much as was granted, or as little of it as was asked for. */
  #scopesOfRefresh(grant: Grant): readonly string[] {
    const allowed = this.#stillAllowed(grant.scopes)
    const scope = this.#params.get('scope')
    return scope === undefined ? allowed : requestedScopes(scope, allowed)
  }

  #stillAllowed(granted: readonly string[]): readonly string[] {
    const scopes = narrow(granted, scopesOfApp(this.#app, this.#context.config.scopes))
    if (scopes.length === 0)
      throw new OAuthError('invalid_scope', 'this app may no longer have any of the scopes that were granted')
    return scopes
  }

  #isOurs(grant: Grant): boolean {
    return grant.clientId === this.#app.id && grant.epoch === this.#app.epoch
  }

  #client(): OAuth2Server.Client {
    return { id: this.#app.id, grants: [...this.#app.grantTypes] }
  }

  #invalid(): OAuthError {
    return new OAuthError('invalid_grant', INVALID_GRANT)
  }

  /** Runs one answer to the engine, keeping what goes wrong for the caller. */
  async #guard<T>(answer: () => Promise<T>): Promise<T> {
    try {
      return await answer()
    } catch (error) {
      this.failure = error
      throw error
    }
  }
}

/** The one sentence for every code or refresh token that is not good: which of the reasons it was is not the caller's business. */
export const INVALID_GRANT =
  'the code or refresh token is not valid (any more), was issued to another app, or does not fit this request'

interface Refresh {
  readonly value: string
  readonly ref: TokenRef
  readonly found: FoundToken
}

const MADE_LATER = 'made by issue'
const NO_CONTEXT = Object.freeze({})
const NEVER = new Date(8.64e15)

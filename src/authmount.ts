import { registerApp } from './apps/register-app.ts'
import { passStep } from './authorize/pass-step.ts'
import { createEvents, type Events } from './base/events.ts'
import { tokenInfo } from './bearer/bearer.ts'
import { createGuard, readRequirements } from './bearer/guard.ts'
import { findUsable } from './bearer/use.ts'
import { createClientAuthentication } from './clients/authenticate/registry.ts'
import { blockClient, decideForHost, unblockClient } from './clients/block.ts'
import { createClientKeys, MAX_KEY_SET_BYTES } from './clients/client-keys.ts'
import { createDocumentReader, DOCUMENT_TIMEOUT_MS, MAX_DOCUMENT_BYTES } from './clients/document-reader.ts'
import { endUserGrants } from './connected-apps/end-user-grants.ts'
import { ConnectorTokens } from './connectors/connector-tokens.ts'
import type { ConnectorOwner } from './connectors/options.ts'
import { Upstreams } from './connectors/upstream.ts'
import { createConsole } from './console/console.ts'
import { examine } from './doctor/examine.ts'
import { createLimits } from './http/limits.ts'
import { endSession, readSession } from './logout/end-session.ts'
import { MAX_TOLD_BYTES } from './oidc/back-channel-logout.ts'
import { openapiDocument } from './openapi/document.ts'
import { type Config, readConfig } from './options/config.ts'
import type { Context, Services } from './options/context.ts'
import type { AuthmountOptions } from './options/options.ts'
import { algorithmsUnder } from './options/profile.ts'
import type { Outbound } from './outbound/outbound.ts'
import { createTheme } from './pages/theme.ts'
import type { Authmount } from './public.ts'
import { createDispatch } from './server/dispatch.ts'
import { endpointFinder, listEndpoints } from './server/routes.ts'
import { DeadlineStore } from './store/deadline-store.ts'
import { Deadlines } from './store/deadlines.ts'
import { createGrantRegistry, type GrantRegistry } from './token/registry.ts'
import { PROOF_ALGORITHMS } from './tokens/dpop-proof.ts'
import { createKeySource } from './tokens/keys.ts'
import { ProofCheck } from './tokens/proof-check.ts'
import { ProofNonces } from './tokens/proof-nonces.ts'
import { UsedProofs } from './tokens/used-proofs.ts'

/**
 * Builds an authorization server. Throws OptionsError, listing every problem, when the options cannot work.
 *
 * TypeScript infers the names of the scopes from the option `scopes`, and the request type of your framework from the parameter
 * of `authenticate`: `authenticate: ({ native }: HttpRequest<express.Request>) => …`.
 */
export function createAuthmount<Native = unknown, Scope extends string = string>(
  options: AuthmountOptions<Native, Scope>,
): Authmount<Native, Scope> {
  const config = readConfig(options)
  const events = createEvents(config.onEvent, config.log)
  const grants = createGrantRegistry(config)
  const services = createServices(config, { events, grants })
  const deadlines = new Deadlines(config.storeTimeoutMs)
  const endpoints = listEndpoints(config, grants)
  const runtime = { config, deadlines, events, services }

  async function withContext<T>(run: (context: Context) => Promise<T>): Promise<T> {
    const store = new DeadlineStore(config.store, deadlines)
    try {
      return await run({ config, services, events, store, principal: null, now: config.now() })
    } finally {
      store.release()
    }
  }

  // The first key takes seconds to make on a busy machine: it must not be a request that waits for it.
  const { keys } = services
  if (keys)
    withContext(({ now, store }) => keys.current(store.keys, now)).catch(cause =>
      config.log.error('the signing keys could not be read at the start; the first request that needs them reads them', cause),
    )

  const accounts = config.connectors && new ConnectorTokens({ config, services }, withContext)
  const requireAccounts = (connectorId: string, owner: ConnectorOwner): ConnectorTokens => {
    if (!accounts) throw new TypeError('there are no connectors in the options')
    // Without an owner it would be somebody else's.
    const ids = [connectorId, owner?.userId, owner?.orgId]
    if (ids.some(id => typeof id !== 'string' || id === ''))
      throw new TypeError('a connector needs its id, and a userId and orgId')
    return accounts
  }

  return {
    endpoints,
    mountPath: config.servedPath,
    log: config.log,
    find: endpointFinder(endpoints),
    dispatch: createDispatch(runtime),
    checkToken(token, requirements) {
      const required = readRequirements(requirements, config)
      return withContext(async context => tokenInfo(await findUsable(token, required, context)))
    },
    guard: requirements => createGuard(requirements, runtime),
    async rotateKeys() {
      if (!keys) throw new Error('there are no signing keys: give sealingKeys, or signingKeys')
      await withContext(({ now, store }) => keys.rotate(store.keys, now))
    },
    passStep: (id, passed = {}) => withContext(context => passStep(id, passed, context)),
    async endSession(session) {
      const read = readSession(session)
      return withContext(context => endSession(read, context))
    },
    async endUserGrants(userId, clientId) {
      // Without a user it would be everyone of the app.
      if (typeof userId !== 'string' || userId === '') throw new TypeError('endUserGrants needs the id of a user')
      return withContext(context => endUserGrants(userId, clientId, context))
    },
    blockClient: clientId => withContext(context => blockClient(clientId, context)),
    unblockClient: clientId => withContext(context => unblockClient(clientId, context)),
    admitClient: async (clientId, by) => {
      await withContext(context => decideForHost(clientId, 'allow', by, context))
    },
    refuseClient: (clientId, by) => withContext(context => decideForHost(clientId, 'refuse', by, context)),
    connectorToken: async (connectorId, owner, { refused } = {}) =>
      requireAccounts(connectorId, owner).get(connectorId, owner, refused),
    connectorStatus: async (connectorId, owner) => requireAccounts(connectorId, owner).status(connectorId, owner),
    disconnect: async (connectorId, owner) => requireAccounts(connectorId, owner).disconnect(connectorId, owner),
    console: () => createConsole(config, services),
    check: async (url, options) => (await examine(url.startsWith('/') ? config.origin + url : url, options)).findings,
    openapi: () => openapiDocument(config, services, endpoints),
    registerApp: (app, owner) => withContext(context => registerApp(app, owner, context)),
  }
}

function createServices(
  config: Config<never>,
  { events, grants }: { readonly events: Events; readonly grants: GrantRegistry },
): Services {
  const { allowLoopbackProviders, branding, clients, connectors, issuer, log, now, outbound, signInProvider, signing } = config
  const { dpopProofs, sealingKeys } = config
  return {
    clientAuthentication: createClientAuthentication(
      config,
      createClientKeys({ outbound: strangersClient(config, MAX_KEY_SET_BYTES), log, now }),
    ),
    documents: clients?.documents ? createDocumentReader(strangersClient(config, MAX_DOCUMENT_BYTES)) : null,
    grants,
    keys: signing && createKeySource(signing, log),
    limits: createLimits(config, events),
    logoutClient: signing && strangersClient(config, MAX_TOLD_BYTES),
    proofs: new ProofCheck(
      dpopProofs.nonces && sealingKeys ? new ProofNonces(sealingKeys) : null,
      algorithmsUnder(config.rules, PROOF_ALGORITHMS),
    ),
    theme: createTheme(branding, issuer),
    upstreams: connectors || signInProvider ? new Upstreams({ ...outbound, allowLoopback: allowLoopbackProviders, now }) : null,
    usedProofs: new UsedProofs(),
  }
}

/**
 * Loads the HTTP client with the first request, so that a server that sends none loads none. Strangers and admins of organisations
 * choose these URLs, those of documents, key sets and logout tokens, so the private hosts of the host's own providers are not for them.
 */
function strangersClient(
  { allowLoopbackProviders: allowLoopback, outbound }: Config<never>,
  maxBytes: number,
): () => Promise<Outbound> {
  let client: Promise<Outbound> | undefined
  return () => {
    client ??= import('./outbound/outbound.ts').then(({ createOutbound }) =>
      createOutbound({ ...outbound, allowLoopback, allowPrivateHosts: [], timeoutMs: DOCUMENT_TIMEOUT_MS, maxBytes }),
    )
    return client
  }
}

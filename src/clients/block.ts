import { appIdOf, isClientId, wireId } from '../base/ids.ts'
import type { Context } from '../options/context.ts'
import { announced } from '../store/announced.ts'
import type { App } from '../store/store.ts'
import { type Decider, type Decision, decideAdmission } from './admission.ts'
import { isSelfRegistered } from './find-client.ts'
import { isDocumentUrl } from './metadata-document.ts'
import { selfRegisteredApp } from './self-registered.ts'
import { sweepRevoked } from './sweep-revoked.ts'

type HostContext = Omit<Context, 'principal'>

const TRIES = 20

/**
 * Blocks a client that nobody registered by hand, for everyone: its grants end, and it cannot come back, whatever its document
 * says later. A client that is known by a document can be blocked before anyone has seen it.
 * Rejects with TypeError for a client that cannot be blocked so, or with StoreError.
 */
export async function blockClient(clientId: string, context: HostContext): Promise<void> {
  const { events, now } = context
  const app = await change(clientId, context, {
    // A record without an end: what is blocked stays blocked.
    changed({ expiresAt: _, ...app }) {
      return { ...app, status: 'suspended', epoch: Math.max(now, app.epoch + 1) }
    },
    isDone: ({ status }) => status !== 'active',
    announce: () => events.emit({ type: 'client_blocked', at: now, clientId }),
  })
  sweepRevoked(app, context)
}

/** Lifts the block of {@link blockClient}: users are asked again. Rejects as it does. */
export async function unblockClient(clientId: string, context: HostContext): Promise<void> {
  const { config, events, now } = context
  const expiresAt = now + (config.clients?.neverUsedMs ?? 0)
  await change(clientId, context, {
    changed: app => ({ ...app, status: 'active', freshUntil: 0, expiresAt }),
    isDone: ({ status }) => status !== 'suspended',
    announce: () => events.emit({ type: 'client_unblocked', at: now, clientId }),
  })
}

/** Decides for an organisation, as one of its admins would in the console. Rejects as {@link blockClient} does. */
export async function decideForHost(clientId: string, decision: Decision, by: Decider, context: HostContext): Promise<number> {
  if (!isDecider(by)) throw new TypeError('who decides needs an orgId and a userId')
  const app = await change(clientId, context, { changed: app => app, isDone: () => true, announce: () => {} })
  return decideAdmission(app, decision, by, { ...context, principal: null })
}

function isDecider(by: unknown): by is Decider {
  if (typeof by !== 'object' || by === null) return false
  const { orgId, userId } = by as Readonly<Record<string, unknown>>
  return [orgId, userId].every(id => typeof id === 'string' && id !== '' && id.length <= 255)
}

interface Change {
  readonly changed: (app: App) => App
  /** Whether a stored record needs no change: announced all the same, as the call may repeat one whose reply was lost. */
  readonly isDone: (app: App) => boolean
  readonly announce: () => void
}

/** Changes the record of such a client, which is made for a document that nobody has read yet. */
async function change(
  clientId: string,
  { config, now, store }: HostContext,
  { announce, changed, isDone }: Change,
): Promise<App> {
  if (typeof clientId !== 'string' || !isClientId(clientId)) throw new TypeError('a client needs a client_id')
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await store.apps.get(appIdOf(clientId))
    const current = found && wireId(found) === clientId ? found : undefined
    if (found && !(current && isSelfRegistered(current))) throw notUnknown()
    if (!current && !isDocumentUrl(clientId)) throw notUnknown()
    if (current && isDone(current)) {
      announce()
      return current
    }
    const next = changed(current ?? unreadApp(clientId, now, config.clients?.neverUsedMs))
    const saved = { ...next, version: (current?.version ?? 0) + 1, updatedAt: now }
    if (await announced(store.apps.save(saved), announce)) return saved
  }
  throw new Error('the record of this client is being changed all the time')
}

function notUnknown(): TypeError {
  return new TypeError('there is no client with this client_id that came by itself')
}

/** The record of a client whose document has not been read. */
function unreadApp(clientId: string, now: number, neverUsedMs = 0): App {
  const metadata = {
    name: '',
    authMethod: 'none',
    redirectUris: [],
    grantTypes: [],
    requirePushedAuthorizationRequests: false,
    registered: {},
  }
  const app = selfRegisteredApp(metadata, { id: appIdOf(clientId), origin: 'metadata', now, expiresAt: now + neverUsedMs })
  return { ...app, clientId, freshUntil: 0 }
}

import type { JsonObject } from '../base/json.ts'
import { flag, hook, isPlainObject, type Kind, list, number, oneOf, text } from './kinds.ts'
import type { Principal } from './options.ts'
import { quote } from './place.ts'
import { members, optional, required, type Table, type ValuesOf } from './rows.ts'
import { privateScheme } from './urls.ts'

/** A client that was not registered by hand, as the host's functions see it. What it says of itself nobody has checked. */
export interface UnknownClient {
  /** Its `client_id`. */
  readonly clientId: string
  /** Where it comes from: a document at its `client_id`, or dynamic registration. */
  readonly origin: 'metadata' | 'registered'
  /** The host of its `client_id`, which is proven; null for one that registered, which has none. */
  readonly host: string | null
  /** The name it gives itself. */
  readonly name: string
  /** The addresses to which its users are sent. */
  readonly redirectUris: readonly string[]
}

/** Decides whether a user's organisation lets a client in. */
export type AdmissionHook = (client: UnknownClient, user: Principal) => boolean | Promise<boolean>

/** How client metadata documents are read, beyond the standard's rules. */
export interface MetadataDocumentSettings {
  /** Whether the client of this document may come. Called when the document is read, before anything is stored. Default: each may. */
  readonly admit?: ((url: string, document: JsonObject) => boolean | Promise<boolean>) | undefined
}

/** Who may register a client (RFC 7591 §3). */
export interface RegistrationSettings {
  /** Whether this initial access token lets its bearer register a client. */
  readonly initialAccessToken: (token: string) => boolean | Promise<boolean>
}

/** Clients that come by themselves: agents and editors that nobody registered by hand. */
export interface ClientsOptions {
  /**
   * Let a client be the https URL of a document about itself (OAuth Client ID Metadata Document). The document is read when a
   * signed-in user is sent by the client. Default true.
   */
  readonly metadataDocuments?: boolean | MetadataDocumentSettings | undefined
  /**
   * Let clients register at `POST /oauth/register` (RFC 7591): everyone (`open`), or whoever has an initial access token.
   * Default false.
   */
  readonly registration?: false | 'open' | RegistrationSettings | undefined
  /**
   * The scopes that such clients may ask for. Sensitive ones, and those named `connector:…`, never. Default: all of the option
   * `scopes` but those of OpenID Connect.
   */
  readonly scopes?: readonly string[] | undefined
  /**
   * Whose users such a client may ask: `everyone`; of an `organization` only once one of its admins has allowed the client; or what
   * your function says. An admin can always refuse one. Default `everyone`.
   */
  readonly admission?: 'everyone' | 'organization' | AdmissionHook | undefined
  /** When a client that nobody uses any more is forgotten. 1–3,650 days; default 90. */
  readonly idleDays?: number | undefined
  /** When a client that has never got a token is forgotten. 1–720 hours; default 24. */
  readonly neverUsedHours?: number | undefined
  /** Private schemes that such clients may have in redirect URIs, beside `redirectSchemes`. Default: those of known editors. */
  readonly schemes?: readonly string[] | undefined
}

/** Schemes of editors and agents that are in use today, and not in reverse-domain form (RFC 8252 §7.1). */
const EDITORS: readonly string[] = ['cursor', 'vscode', 'vscode-insiders', 'windsurf', 'warp', 'mcpjam']

const DOCUMENTS = {
  admit: optional(hook<NonNullable<MetadataDocumentSettings['admit']>>(), null),
} satisfies Table<MetadataDocumentSettings>

const REGISTRATION = {
  initialAccessToken: required(hook<RegistrationSettings['initialAccessToken']>()),
} satisfies Table<RegistrationSettings>

/** A value that is a switch, or an object in its place. */
function either<In, Out, ObjectIn, ObjectOut>(
  simple: Kind<In, Out>,
  object: Kind<ObjectIn, ObjectOut>,
): Kind<In | ObjectIn, Out | ObjectOut> {
  return {
    read: (value, place) => (isPlainObject(value) ? object.read(value, place) : simple.read(value, place)),
  }
}

const registration: Kind<false | 'open'> = {
  read: (value, place) =>
    value === false || value === 'open'
      ? value
      : place.refuse(`must be false, "open" or { initialAccessToken }, not ${quote(value)}`),
}

const admission: Kind<'everyone' | 'organization' | AdmissionHook> = {
  read: (value, place) =>
    typeof value === 'function' ? (value as AdmissionHook) : oneOf(['everyone', 'organization']).read(value, place),
}

export const CLIENTS = {
  metadataDocuments: optional(either(flag, members<MetadataDocumentSettings, typeof DOCUMENTS>(DOCUMENTS)), true),
  registration: optional(either(registration, members<RegistrationSettings, typeof REGISTRATION>(REGISTRATION)), false),
  scopes: optional(
    list(
      text('the name of a scope', value => value !== ''),
      "['read:orders']",
    ),
    null,
  ),
  admission: optional(admission, 'everyone'),
  idleDays: optional(number([1, 3650], 'days'), 90),
  neverUsedHours: optional(number([1, 720], 'hours'), 24),
  schemes: optional(list(privateScheme, "['cursor']"), EDITORS),
} satisfies Table<ClientsOptions>

type Values = ValuesOf<typeof CLIENTS>

/** The options of clients that come by themselves, checked. */
export interface ClientsConfig extends Pick<Values, 'admission'> {
  /** Null: documents are not read. */
  readonly documents: { readonly admit: MetadataDocumentSettings['admit'] | null } | null
  /** Null: nothing registers itself. */
  readonly registration: { readonly initialAccessToken: RegistrationSettings['initialAccessToken'] | null } | null
  /** The scopes that such a client may ask for. */
  readonly scopes: readonly string[]
  readonly idleMs: number
  readonly neverUsedMs: number
  /** Private schemes of redirect URIs, those for every app among them. */
  readonly schemes: readonly string[]
}

const DAY_MS = 86_400_000

export function clientsConfig(
  { admission, idleDays, metadataDocuments, neverUsedHours, registration, schemes }: Values,
  scopes: readonly string[],
  redirectSchemes: readonly string[],
): ClientsConfig {
  return {
    admission,
    documents: metadataDocuments === false ? null : metadataDocuments === true ? { admit: null } : metadataDocuments,
    registration: registration === false ? null : registration === 'open' ? { initialAccessToken: null } : registration,
    scopes,
    idleMs: idleDays * DAY_MS,
    neverUsedMs: neverUsedHours * 3_600_000,
    schemes: [...redirectSchemes, ...schemes],
  }
}

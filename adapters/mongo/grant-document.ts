import type { EpochMs } from '../../src/base/time.ts'
import type { Token } from '../../src/store/store.ts'
import type { Expiring } from './records.ts'

/** A grant and every token descended from it. Adding to two arrays is one update, where changing and adding to one is not. */
export interface GrantDocument extends Expiring {
  readonly client: string
  readonly epoch: number
  readonly user: string | null
  readonly place: string
  readonly grant: string
  readonly tokens: readonly TokenElement[]
  readonly spent: readonly { readonly key: string; readonly at: EpochMs; readonly replay: string }[]
  readonly rotations: number
}

export interface TokenElement {
  readonly key: string
  readonly kind: Token['kind']
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
  readonly token: string
}

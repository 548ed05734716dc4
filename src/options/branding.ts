import { text } from './kinds.ts'
import { optional, type Table, type ValuesOf } from './rows.ts'

/** How authmount's own pages look. */
export interface Branding {
  /** Who you are to your users. Default: the issuer's host name. */
  readonly name?: string | undefined
  /**
   * An https URL, shown above the pages. Default: none.
   * @see docs/pages.md
   */
  readonly logoUrl?: string | undefined
  /** The main button's colour, as `#rrggbb`; the text on it is black or white, whichever can be read. Default `#1d4ed8`. */
  readonly accentColor?: string | undefined
  /** Added after the pages' own style. It can load nothing but from the logo's origin. Default: none. */
  readonly css?: string | undefined
}

export const BRANDING = {
  name: optional(
    text('a text', value => value !== ''),
    null,
  ),
  logoUrl: optional(
    text('an https URL', value => URL.canParse(value) && new URL(value).protocol === 'https:'),
    null,
  ),
  accentColor: optional(
    text('a colour such as #1d4ed8', value => /^#[\da-f]{6}$/i.test(value)),
    '#1d4ed8',
  ),
  css: optional(
    text('a text', () => true),
    null,
  ),
} satisfies Table<Branding>

export type BrandingValues = ValuesOf<typeof BRANDING>

/** How authmount's own pages look. */
export interface Branding {
  /** Who you are to your users. Default: the issuer's host name. */
  readonly name?: string | undefined
  /** Shown above the page; https. */
  readonly logoUrl?: string | undefined
  /** Of the main button, as `#rrggbb`; the text on it is black or white, whichever can be read. Default `#1d4ed8`. */
  readonly accentColor?: string | undefined
  /** Added after the pages' own style. It can load nothing. */
  readonly css?: string | undefined
}

/** What is wrong with it, in words for whoever configures it. */
export function brandingProblems({ accentColor, css, logoUrl, name }: Branding): readonly string[] {
  return [
    ...(name === undefined || (typeof name === 'string' && name !== '') ? [] : ['branding.name must be a text']),
    ...(accentColor === undefined || /^#[\da-f]{6}$/i.test(accentColor) ? [] : ['branding.accentColor must be like #1d4ed8']),
    ...(logoUrl === undefined || (URL.canParse(logoUrl) && new URL(logoUrl).protocol === 'https:')
      ? []
      : ['branding.logoUrl must be an https URL']),
    ...(css === undefined || typeof css === 'string' ? [] : ['branding.css must be a text']),
  ]
}

import type { HttpRequest } from '../http/types.ts'
import { type Language, pickLanguage } from './language.ts'
import type { Theme } from './theme.ts'

/** In whose colours, and in whose language. */
export interface PageSetting {
  readonly theme: Theme
  readonly language: Language
}

/** `uiLocales` of the authorization request, where it is not in the URL any more. */
export function pageSettingFor(
  { headers, query }: HttpRequest,
  { theme }: { readonly theme: Theme },
  uiLocales = query.get('ui_locales'),
): PageSetting {
  return { theme, language: pickLanguage(uiLocales, headers['accept-language']) }
}

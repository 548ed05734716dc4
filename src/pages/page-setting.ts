import type { HttpRequest } from '../http/types.ts'
import { type Language, pickLanguage } from './language.ts'
import type { Theme } from './theme.ts'

/** The theme and language of a page. */
export interface PageSetting {
  readonly theme: Theme
  readonly language: Language
}

/** Returns the setting for a request. `uiLocales`: from the authorization request, if it is not in the URL any more. */
export function pageSettingFor(
  { headers, query }: HttpRequest,
  { theme }: { readonly theme: Theme },
  uiLocales = query.get('ui_locales'),
): PageSetting {
  return { theme, language: pickLanguage(uiLocales, headers['accept-language']) }
}

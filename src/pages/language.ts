import { ar } from './messages/ar.ts'
import { de } from './messages/de.ts'
import { en, type Messages } from './messages/en.ts'
import { es } from './messages/es.ts'
import { fr } from './messages/fr.ts'
import { ja } from './messages/ja.ts'
import { zh } from './messages/zh.ts'

export interface Language {
  /** Its BCP 47 tag. */
  readonly tag: string
  readonly direction: 'ltr' | 'rtl'
  readonly messages: Messages
}

/** The languages of the pages. The first is the default. */
const LANGUAGES: readonly [Language, ...Language[]] = [
  { tag: 'en', direction: 'ltr', messages: en },
  { tag: 'de', direction: 'ltr', messages: de },
  { tag: 'es', direction: 'ltr', messages: es },
  { tag: 'fr', direction: 'ltr', messages: fr },
  { tag: 'ja', direction: 'ltr', messages: ja },
  { tag: 'zh', direction: 'ltr', messages: zh },
  { tag: 'ar', direction: 'rtl', messages: ar },
]

/** Picks a language by the app's `ui_locales` (OpenID Connect Core §3.1.2.1), then by the browser's preference (RFC 9110 §12.5.4). */
export function pickLanguage(uiLocales: string | null | undefined, acceptLanguage: string | undefined): Language {
  const wanted = [...(uiLocales ?? '').split(' '), ...preferred(acceptLanguage ?? '')]
  for (const tag of wanted.slice(0, MAX_WANTED)) {
    const [primary] = tag.toLowerCase().split('-')
    const language = LANGUAGES.find(({ tag }) => tag === primary)
    if (language) return language
  }
  return LANGUAGES[0]
}

const MAX_WANTED = 40

function preferred(header: string): readonly string[] {
  const ranges = header
    .slice(0, 1000)
    .split(',')
    .map(range => {
      const [tag = '', quality] = range.trim().split(/ *; *q=/)
      return { tag, quality: quality === undefined ? 1 : Number(quality) }
    })
  return ranges
    .filter(({ quality }) => quality > 0)
    .toSorted((a, b) => b.quality - a.quality)
    .map(({ tag }) => tag)
}

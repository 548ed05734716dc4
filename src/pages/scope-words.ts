import type { Scope } from '../options/scopes.ts'
import type { Language } from './language.ts'

/** What a scope means, in the host's words, or in ours where it is ours. */
export function describeScope({ builtIn, description, translations }: Scope, { messages, tag }: Language): string {
  return translations[tag] ?? (builtIn ? messages.knowWhoYouAre : description)
}

import type { Scope } from '../options/scopes.ts'
import type { Language } from './language.ts'

/** Describes a scope: with the host's text, or with ours for a built-in scope. */
export function describeScope({ builtIn, description, translations }: Scope, { messages, tag }: Language): string {
  return translations[tag] ?? (builtIn ? messages.knowWhoYouAre : description)
}

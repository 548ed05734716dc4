import type { Scope } from '../options/scopes.ts'
import type { Language } from './language.ts'

/** Describes a scope: with the host's text, or with ours for a built-in scope. */
export function describeScope(scope: Scope, language: Language): string {
  return scopeWords(scope, language).description
}

/** Returns the description of a scope and its detail, which may be empty. Both are in the same language. */
export function scopeWords(
  { builtIn, description, detail, translations }: Scope,
  { messages, tag }: Language,
): { readonly description: string; readonly detail: string } {
  return translations[tag] ?? (builtIn ? { description: messages.knowWhoYouAre, detail } : { description, detail })
}

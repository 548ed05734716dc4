import type { Scope } from '../options/scopes.ts'
import type { Language } from './language.ts'

/** What a page says of a scope that a user is asked for. */
export interface ScopeFacts extends Pick<Scope, 'name' | 'category' | 'access' | 'sensitive' | 'optional'> {
  readonly description: string
  /** Empty: none. */
  readonly detail: string
}

/** Returns the facts of those scopes that are in the catalogue. */
export function scopeFacts(
  names: readonly string[],
  catalogue: ReadonlyMap<string, Scope>,
  language: Language,
): readonly ScopeFacts[] {
  return names.flatMap(name => {
    const scope = catalogue.get(name)
    if (!scope) return []
    const { access, category, optional, sensitive } = scope
    return [{ name, ...scopeWords(scope, language), category, access, sensitive, optional }]
  })
}

/** Describes a scope: with the host's text, or with ours for a built-in scope. */
export function describeScope(scope: Scope, language: Language): string {
  return scopeWords(scope, language).description
}

/** Returns the description of a scope and its detail, which may be empty. Both are in the same language. */
function scopeWords(
  { builtIn, description, detail, translations }: Scope,
  { messages, tag }: Language,
): { readonly description: string; readonly detail: string } {
  return translations[tag] ?? (builtIn ? { description: messages.knowWhoYouAre, detail } : { description, detail })
}

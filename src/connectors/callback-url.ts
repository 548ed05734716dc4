import type { Config } from '../options/config.ts'

export const CALLBACK_PATH = '/connectors/oauth/callback'

/** Returns the redirect URI to register at providers. */
export function callbackUrl({ mountPath, origin }: Pick<Config<never>, 'mountPath' | 'origin'>): string {
  return `${origin}${mountPath}${CALLBACK_PATH}`
}

import type { Config } from '../options/config.ts'

export const CALLBACK_PATH = '/connectors/oauth/callback'

/** Where providers send the browser: what to register there. */
export function callbackUrl({ mountPath, origin }: Pick<Config<never>, 'mountPath' | 'origin'>): string {
  return `${origin}${mountPath}${CALLBACK_PATH}`
}

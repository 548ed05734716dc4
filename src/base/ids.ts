/** Whether a string has the shape of an app's id. Anything else is never looked up. */
export function isAppId(value: string): boolean {
  return /^[0-9a-f]{24}$/.test(value)
}

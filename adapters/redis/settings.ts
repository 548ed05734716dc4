import type { RedisClient } from './scripts/script.ts'

/** Checks once, when the client is connected, whether the server's settings lose data, and warns of each that does. */
export function warnOfSettings(redis: RedisClient, warn: (message: string) => void): void {
  const look = () => {
    // Managed servers often refuse INFO or CONFIG. Their settings may still be right.
    settingsOf(redis).then(
      problems => {
        for (const problem of problems) warn(`authmount: ${problem}`)
      },
      () => {},
    )
  }
  if (redis.status === 'ready') look()
  else redis.once('ready', look)
}

async function settingsOf(redis: RedisClient): Promise<readonly string[]> {
  const info = await redis.info()
  const problems: string[] = []
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction'
  if (policy !== 'noeviction') {
    problems.push(
      `Redis evicts keys when its memory is full (maxmemory-policy ${policy}): a session of your users can end at any time, and a revocation can be forgotten. Set maxmemory-policy to noeviction.`,
    )
  }
  if (/^aof_enabled:0/m.test(info) && (await savesNothing(redis))) {
    problems.push(
      'Redis keeps nothing on disk (appendonly no, save ""): a restart forgets every app, consent and token. Set appendonly to yes.',
    )
  }
  return problems
}

async function savesNothing(redis: RedisClient): Promise<boolean> {
  const answer = await redis.config('GET', 'save')
  return Array.isArray(answer) && answer[1] === ''
}

import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'

/** The host's client; both kinds take the same commands. */
export type RedisClient = Redis | Cluster

/**
 * How many replicas must have a decision before it counts, and for how long that is waited for, in milliseconds.
 * Decided is what must not be undone by a failover: that a code was used, a token rotated or revoked, an app changed.
 */
export interface ReplicaWait {
  readonly count: number
  readonly timeoutMs: number
}

/** A Lua script, run by its digest and sent again whenever the server does not know it (any more). */
export class Script<Answer> {
  readonly text: string
  readonly #sha1: string

  constructor(text: string) {
    this.text = text
    this.#sha1 = createHash('sha1').update(text).digest('hex')
  }

  run(redis: RedisClient, keys: readonly string[], args: readonly (string | number)[]): Promise<Answer> {
    const answer = redis.evalsha(this.#sha1, keys.length, ...keys, ...args).catch((error: unknown) => {
      if (!isUnknownScript(error)) throw error
      return redis.eval(this.text, keys.length, ...keys, ...args)
    })
    return answer as Promise<Answer>
  }

  /**
   * Rejects unless enough replicas have what was written: it may have happened all the same.
   * WAIT speaks of its own connection, hence the pipeline, which a cluster sends to the node of the key.
   */
  decide(
    redis: RedisClient,
    keys: readonly string[],
    args: readonly (string | number)[],
    wait: ReplicaWait | undefined,
  ): Promise<Answer> {
    return wait ? this.#confirmed(redis, keys, args, wait) : this.run(redis, keys, args)
  }

  async #confirmed(
    redis: RedisClient,
    keys: readonly string[],
    args: readonly (string | number)[],
    wait: ReplicaWait,
  ): Promise<Answer> {
    const send = (name: 'eval' | 'evalsha', script: string) =>
      redis
        .pipeline()
        [name](script, keys.length, ...keys, ...args)
        .wait(wait.count, wait.timeoutMs)
        .exec()
    let answers = await send('evalsha', this.#sha1)
    if (isUnknownScript(answers?.[0]?.[0])) answers = await send('eval', this.text)
    if (isMoved(answers?.[0]?.[0])) {
      // A pipeline does not follow a slot that moves; a command alone does, and doing it twice is doing it once.
      await this.run(redis, keys, args)
      answers = await send('evalsha', this.#sha1)
    }
    const [[error, answer], [waitError, replicas]] = [answers?.[0] ?? [], answers?.[1] ?? []]
    if (error ?? waitError) throw error ?? waitError
    if (typeof replicas !== 'number' || replicas < wait.count) {
      throw new Error(`only ${replicas} of ${wait.count} replicas confirmed a write within ${wait.timeoutMs} ms`)
    }
    return answer as Answer
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

function isMoved(error: unknown): boolean {
  return error instanceof Error && /^(MOVED|ASK|TRYAGAIN) /.test(error.message)
}

/** What a script says of a record it cannot read; it has changed nothing then. */
const FORMAT = `redis.error_reply('AUTHMOUNT this record was written by another version, or is damaged: it is left as it is')`

/** Sets the time to live of a key, unless it has a longer one. */
const EXPIRE = `
local function expire(key, ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end`

/**
 * Writes a record iff the stored version is one less; a repeat of what is stored counts as that write.
 * KEYS: the record. ARGV: its version, its text ("1 <version> <json>").
 */
export const saveRecord = new Script<0 | 1>(`
local stored = redis.call('GET', KEYS[1])
if stored == ARGV[2] then return 1 end
local version = 0
if stored then
  version = tonumber(string.match(stored, '^1 (%d+) '))
  if not version then return ${FORMAT} end
end
if version ~= ARGV[1] - 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`)

/**
 * Notes the first attempt to consume. KEYS: the entry ("1<attempt, or 40 zeros><json>"). ARGV: the attempt (40 hex digits).
 * Answers with nothing, or with the entry as it is now.
 */
export const consumeEntry = new Script<string | null>(`
local entry = redis.call('GET', KEYS[1])
if not entry then return false end
if string.sub(entry, 1, 1) ~= '1' or #entry < 41 then return ${FORMAT} end
if string.sub(entry, 2, 41) == string.rep('0', 40) then
  entry = '1' .. ARGV[1] .. string.sub(entry, 42)
  redis.call('SET', KEYS[1], entry, 'KEEPTTL')
end
return entry`)

/**
 * KEYS: the grant, a hash of:
 *   g        "1 <createdAt> <epoch> <context as JSON>", where 1 is the format; on lines of their own, as far as they fit into
 *            64 bytes with it, the scopes as JSON, and the organisation
 *   o u s    "=<organisation>" and the scopes, where they did not fit; "=<user>", where there is one
 *   t:<id>   a token: "<a|r> <issuedAt> <expiresAt>", then as JSON its scopes if they are not the grant's, or [scopes, audience];
 *            on a second line, how it was spent: "<at> <replay>"
 * Every field is short, so that Redis packs a young grant into one allocation; and they are few, as each read asks for all.
 */

/**
 * ARGV: time to live, how many fields of its own the grant has, then fields and values: those, and those of its tokens.
 * 0: the id is taken by another grant.
 */
export const createGrant = new Script<0 | 1>(`
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], unpack(ARGV, 3))
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return 1
end
local names = { 'g', 'o', 'u', 's' }
local stored = redis.call('HMGET', KEYS[1], unpack(names))
if not stored[1] or string.sub(stored[1], 1, 2) ~= '1 ' then return ${FORMAT} end
local tokens = 3 + 2 * ARGV[2]
local own = {}
for i = 3, tokens - 1, 2 do own[ARGV[i]] = ARGV[i + 1] end
for i, name in ipairs(names) do
  if stored[i] ~= (own[name] or false) then return 0 end
end
for i = tokens, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then return 0 end
end
return 1`)

/** ARGV: now, the id to spend, how it is spent ("<at> "), the replay, time to live, then fields and values of the next tokens. */
export const rotateToken = new Script<'rotated' | 'reused' | 'missing'>(`${EXPIRE}
local form = redis.call('HGET', KEYS[1], 'g')
if not form then return 'missing' end
if string.sub(form, 1, 2) ~= '1 ' then return ${FORMAT} end
local token = redis.call('HGET', KEYS[1], 't:' .. ARGV[2])
if not token then return 'missing' end
local kind, expires = string.match(token, '^(%a) %d+ (%d+)')
if not kind then return ${FORMAT} end
if kind ~= 'r' or tonumber(expires) <= tonumber(ARGV[1]) then return 'missing' end
local replay = string.match(token, '\\n%d+ (.*)$')
if replay == ARGV[4] then return 'rotated' end
if replay then return 'reused' end
-- What has expired goes when there is much of it, and of what was spent a while ago the replay, which nobody can ask for
-- any more: each time when there is twice as much, so that it costs every rotation the same.
local size = redis.call('HLEN', KEYS[1])
if size > 64 and size > tonumber(redis.call('HGET', KEYS[1], 'p') or 0) then
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    local expired = string.sub(fields[i], 1, 2) == 't:' and string.match(fields[i + 1], '^%a %d+ (%d+)')
    if expired and tonumber(expired) <= tonumber(ARGV[1]) then
      redis.call('HDEL', KEYS[1], fields[i])
    elseif expired then
      local without, at = string.match(fields[i + 1], '^([^\\n]*\\n(%d+) )')
      if at and tonumber(at) < ARGV[1] - 3600000 then redis.call('HSET', KEYS[1], fields[i], without) end
    end
  end
  redis.call('HSET', KEYS[1], 'p', 2 * redis.call('HLEN', KEYS[1]))
end
redis.call('HSET', KEYS[1], 't:' .. ARGV[2], token .. '\\n' .. ARGV[3] .. ARGV[4])
if #ARGV > 5 then
  redis.call('HSET', KEYS[1], unpack(ARGV, 6))
  expire(KEYS[1], tonumber(ARGV[5]))
end
return 'rotated'`)

/** ARGV: now, the id of a token. Answers with the epoch, and with the user if that was the last token; or nothing. */
export const revokeToken = new Script<readonly [epoch: string, user: string | null] | null>(`
local form = redis.call('HGET', KEYS[1], 'g')
if not form then return false end
local epoch = string.match(form, '^1 %d+ (%d+) ')
if not epoch then return ${FORMAT} end
local token = redis.call('HGET', KEYS[1], 't:' .. ARGV[2])
if not token or tonumber(string.match(token, '^%a %d+ (%d+)')) <= tonumber(ARGV[1]) then return false end
redis.call('HDEL', KEYS[1], 't:' .. ARGV[2])
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 't:' then return { epoch, false } end
end
local user = redis.call('HGET', KEYS[1], 'u')
redis.call('DEL', KEYS[1])
return { epoch, user }`)

/** ARGV: nothing. Answers with the epoch, the user and the ids of its unspent tokens; or nothing. */
export const revokeGrant = new Script<readonly [epoch: string, user: string, ...tokenIds: string[]] | null>(`
local form = redis.call('HGET', KEYS[1], 'g')
if not form then return false end
local epoch = string.match(form, '^1 %d+ (%d+) ')
if not epoch then return ${FORMAT} end
local revoked = { epoch, redis.call('HGET', KEYS[1], 'u') or '' }
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  -- What is spent is in no index.
  if string.sub(fields[i], 1, 2) == 't:' and not string.find(fields[i + 1], '\\n', 1, true) then
    revoked[#revoked + 1] = string.sub(fields[i], 3)
  end
end
redis.call('DEL', KEYS[1])
return revoked`)

/**
 * KEYS: of one client and epoch, its live tokens by when they were issued, the same by when they expire; the client's epochs.
 */

/**
 * ARGV: now, the epoch, time to live, how many that have expired to look for, number of members to take out, those; then
 * issuedAt, expiresAt and member of each to add.
 */
export const indexTokens = new Script<0 | 1>(`${EXPIRE}
local out = tonumber(ARGV[5])
for i = 6, 5 + out do
  redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
if #ARGV == 5 + out then return 0 end
for i = 6 + out, #ARGV, 3 do
  redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 2])
  redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i + 2])
end
if ARGV[4] ~= '0' then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[4])) do
    redis.call('ZREM', KEYS[1], member)
    redis.call('ZREM', KEYS[2], member)
  end
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) or redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then
  redis.call('SADD', KEYS[3], ARGV[2])
  -- Longer than needed, so that not every token has to do it again.
  for _, key in ipairs(KEYS) do expire(key, math.ceil(1.1 * ARGV[3]) + 60000) end
end
return 1`)

/**
 * ARGV: now, how many, then issuedAt and member of the cursor, if there is one.
 * Answers with the number of live tokens, then members and when they were issued, newest first.
 */
export const pageOfTokens = new Script<readonly [total: number, ...memberAndIssuedAt: string[]]>(`
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, 1000)) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZREM', KEYS[2], member)
end
local page = { redis.call('ZCOUNT', KEYS[2], '(' .. ARGV[1], '+inf') }
local start = 0
if ARGV[3] then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[4])
  if not rank then
    -- Gone since the last page: where it would stand.
    redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
    rank = redis.call('ZREVRANK', KEYS[1], ARGV[4]) - 1
    redis.call('ZREM', KEYS[1], ARGV[4])
  end
  start = rank + 1
end
if tonumber(ARGV[2]) > 0 then
  for _, item in ipairs(redis.call('ZREVRANGE', KEYS[1], start, start + ARGV[2] - 1, 'WITHSCORES')) do page[#page + 1] = item end
end
return page`)

/** KEYS: a user's grants by when they expire. ARGV: now, time to live, when the grant expires, the grant. */
export const indexGrant = new Script<1>(`${EXPIRE}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], 'GT', ARGV[3], ARGV[4])
expire(KEYS[1], tonumber(ARGV[2]))
return 1`)

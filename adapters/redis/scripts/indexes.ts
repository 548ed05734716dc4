import { EXPIRE, Script } from './script.ts'

/**
 * Changes the index of the tokens of one app and epoch. KEYS: its live tokens by when they were issued, the same by when they
 * expire; the epochs of the app.
 * ARGV: now, the epoch, time to live, how many expired members to look for, how many members to remove, those; then issuedAt,
 * expiresAt and member of each to add.
 */
export const indexTokens = new Script<0 | 1>(`${EXPIRE}
local out = tonumber(ARGV[5])
-- First, because a server without memory refuses it: what is removed is then still there.
for i = 6 + out, #ARGV, 3 do
  redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 2])
  redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i + 2])
end
for i = 6, 5 + out do
  redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
if #ARGV == 5 + out then return 0 end
if ARGV[4] ~= '0' then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[4])) do
    redis.call('ZREM', KEYS[1], member)
    redis.call('ZREM', KEYS[2], member)
  end
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) or redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then
  redis.call('SADD', KEYS[3], ARGV[2])
  -- Longer than needed, so that not every token has to prolong it.
  for _, key in ipairs(KEYS) do expire(key, math.ceil(1.1 * ARGV[3]) + 60000) end
end
return 1`)

/**
 * KEYS: tokens of one app and epoch by when they were issued, the same by when they expire. ARGV: now, how many, then issuedAt
 * and member of the cursor, if there is one.
 * Returns the number of live tokens, then members and when they were issued in turn, newest first.
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
    -- The member has left the index since the last page: find where it would stand.
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

/**
 * Adds to an index by expiry: a user's grants, or the apps with grants of an organisation. Also removes what has expired.
 * KEYS: the index. ARGV: now, time to live, when the member expires, the member.
 */
export const indexUntil = new Script<1>(`${EXPIRE}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], 'GT', ARGV[3], ARGV[4])
expire(KEYS[1], tonumber(ARGV[2]))
return 1`)

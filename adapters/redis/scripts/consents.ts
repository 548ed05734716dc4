import { EXPIRING_INDEX, REFUSE, Script } from './script.ts'

/**
 * KEYS of all scripts here: the consents of one owner, a hash by the digest of the app; `order`, the digests of those that
 * are listed, all of score 0; `expires`, the digests of those that expire. A record is "2 <version> <expiresAt, or -> <JSON>".
 */
const SWEEP_CONSENTS = `${EXPIRING_INDEX}
local function sweepConsents(now, most)
  for _, digest in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, most)) do
    redis.call('HDEL', KEYS[1], digest)
  end
  return sweep(KEYS[2], KEYS[3], now, most)
end`

/**
 * Writes a consent iff the stored version is one less; a repeat of the stored write counts as that write. Also removes up to
 * 50 expired ones, and sets when the keys expire: with the last consent, if all of them do.
 * ARGV: the digest of the app, the version, the text, now, when it expires (or -), 1 if it is listed (0: withdrawn).
 */
export const saveConsent = new Script<0 | 1>(`${SWEEP_CONSENTS}
local stored = redis.call('HGET', KEYS[1], ARGV[1])
local version = 0
if stored then
  local number, expires = string.match(stored, '^2 (%d+) ([%d-]+) ')
  if not number then return ${REFUSE} end
  if expires == '-' or tonumber(expires) > tonumber(ARGV[4]) then
    if stored == ARGV[3] then return 1 end
    version = tonumber(number)
  end
end
if version ~= ARGV[2] - 1 then return 0 end
sweepConsents(ARGV[4], 50)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if ARGV[6] == '1' then redis.call('ZADD', KEYS[2], 0, ARGV[1]) else redis.call('ZREM', KEYS[2], ARGV[1]) end
if ARGV[5] == '-' then redis.call('ZREM', KEYS[3], ARGV[1]) else redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1]) end
local last
if redis.call('HLEN', KEYS[1]) == redis.call('ZCARD', KEYS[3]) then
  last = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
end
for _, key in ipairs(KEYS) do
  if last then redis.call('PEXPIRE', key, math.max(1, math.ceil(last - ARGV[4]))) else redis.call('PERSIST', key) end
end
return 1`)

/**
 * ARGV: now, the digest after which the page begins (or nothing), how many. Returns digests and texts in turn, in the order
 * of the digests, which no write changes. First removes everything that has expired.
 */
export const pageOfConsents = new Script<readonly string[]>(`${SWEEP_CONSENTS}
while sweepConsents(ARGV[1], 1000) == 1000 do end
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local page = {}
for _, digest in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, ARGV[3])) do
  page[#page + 1] = digest
  page[#page + 1] = redis.call('HGET', KEYS[1], digest)
end
return page`)

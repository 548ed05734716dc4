import { EXPIRE, REFUSE, Script } from './script.ts'

/*
 * KEYS of all scripts here: one grant, a hash of:
 *   g        "2 <createdAt> <epoch> <context as JSON>", where 2 is the format; [context, other fields] if there are other
 *            fields. On lines of their own, as far as they fit into 64 bytes with it: the scopes as JSON, the organisation.
 *   o u s    "=<organisation>" and the scopes, where they did not fit; "=<user>", if there is one.
 *   t:<id>   a token: "<a|r|x> <issuedAt> <expiresAt>", x for a kind we do not know. Then, if there is more to say, one of
 *            <scopes>, [scopes, audience], [scopes, audience, other fields], [scopes, other fields], <other fields> as JSON;
 *            without scopes it has those of the grant. On a second line how it was spent: "<at> <replay>".
 *   p        the number of fields above which expired tokens are removed.
 *
 * Fields of at most 64 bytes keep a young grant in one allocation (hash-max-listpack-value). They are few, because `find`
 * reads all of them.
 */

/**
 * Lua: `own` returns what places a grant in the indexes and one of its tokens, { g, o, u, token }, each false if absent; nil if
 * there is no grant, and false if it is in another format. `lives` tells whether a token has not expired; one that is damaged lives, so that nothing removes
 * it.
 */
const READ = `
local function own(id)
  local fields = redis.call('HMGET', KEYS[1], 'g', 'o', 'u', 't:' .. id)
  if fields[1] then return string.find(fields[1], '^2 %d+ %d+ ') and fields or false end
  if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
  return false
end
local function readable(text)
  return string.find(text, '^[arx] %d+ %d+')
end
local function lives(text, now)
  local expires = string.match(text, '^%a %d+ (%d+)')
  return not expires or tonumber(expires) > tonumber(now)
end
local function unspent(text)
  return string.match(text, '^[^\\n]*')
end`

/**
 * Lua: removes expired tokens of a grant with many fields, and the replay of those spent more than an hour ago, which nobody
 * can need any more. Runs whenever the number of fields has doubled, so that its cost is spread over the writes.
 */
const PRUNE = `
local function prune(now)
  local size = redis.call('HLEN', KEYS[1])
  if size <= 64 or size <= tonumber(redis.call('HGET', KEYS[1], 'p') or 0) then return end
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 't:' then
      if not lives(fields[i + 1], now) then
        redis.call('HDEL', KEYS[1], fields[i])
      else
        local without, at = string.match(fields[i + 1], '^([^\\n]*\\n(%d+) )')
        if at and tonumber(at) < now - 3600000 then redis.call('HSET', KEYS[1], fields[i], without) end
      end
    end
  end
  redis.call('HSET', KEYS[1], 'p', 2 * redis.call('HLEN', KEYS[1]))
end`

/**
 * ARGV: now, time to live, the number of the grant's own fields, then fields and values: its own, and those of its tokens.
 * 1: created. 2: this very grant is there, with these tokens. 0: another live grant is, or this one without these tokens.
 */
export const createGrant = new Script<0 | 1 | 2>(`${READ}
if redis.call('EXISTS', KEYS[1]) == 1 then
  if not own('') then return ${REFUSE} end
  local has, alive = {}, false
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    local token = string.sub(fields[i], 1, 2) == 't:'
    if token and lives(fields[i + 1], ARGV[1]) then alive = true end
    has[fields[i]] = token and unspent(fields[i + 1]) or fields[i + 1]
  end
  if alive then
    local given = {}
    for i = 4, 3 + 2 * ARGV[3], 2 do given[ARGV[i]] = ARGV[i + 1] end
    for _, name in ipairs({ 'g', 'o', 'u', 's' }) do
      if has[name] ~= given[name] then return 0 end
    end
    for i = 4 + 2 * ARGV[3], #ARGV, 2 do
      if has[ARGV[i]] ~= ARGV[i + 1] then return 0 end
    end
    return 2
  end
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`)

/** The fields `g`, `o` and `u` of a grant. */
export type OwnFields = readonly [g: string, o: string | null, u: string | null]

/** The result of `rotate` and `add`. Nothing follows the outcome if there is no grant. */
export type ChangedGrant<Outcome> = readonly [outcome: Outcome, repeated: 0 | 1, ...own: OwnFields]

/**
 * Spends a refresh token and adds the next ones.
 * ARGV: now, the id to spend, how it is spent ("<at> "), the replay, time to live, then fields and values of the next tokens.
 */
export const rotateToken = new Script<ChangedGrant<'rotated' | 'reused' | 'missing'>>(`${EXPIRE}${READ}${PRUNE}
local grant = own(ARGV[2])
if grant == nil then return { 'missing' } end
if not grant then return ${REFUSE} end
local function answer(outcome, repeated) return { outcome, repeated, grant[1], grant[2], grant[3] } end
local token = grant[4]
if token and not readable(token) then return ${REFUSE} end
if not token or string.sub(token, 1, 1) ~= 'r' or not lives(token, ARGV[1]) then return answer('missing', 0) end
local replay = string.match(token, '\\n%d+ (.*)$')
if replay == ARGV[4] then return answer('rotated', 1) end
if replay then return answer('reused', 0) end
prune(ARGV[1])
redis.call('HSET', KEYS[1], 't:' .. ARGV[2], token .. '\\n' .. ARGV[3] .. ARGV[4], unpack(ARGV, 6))
expire(KEYS[1], tonumber(ARGV[5]))
return answer('rotated', 0)`)

/**
 * Adds tokens beside a live, unspent refresh token.
 * ARGV: now, the id of that token, time to live, then fields and values of the new tokens.
 */
export const addTokens = new Script<ChangedGrant<'added' | 'missing' | 'conflict'>>(`${EXPIRE}${READ}${PRUNE}
local grant = own(ARGV[2])
if grant == nil then return { 'missing' } end
if not grant then return ${REFUSE} end
local function answer(outcome, repeated) return { outcome, repeated, grant[1], grant[2], grant[3] } end
local token = grant[4]
if token and not readable(token) then return ${REFUSE} end
if not token or string.sub(token, 1, 1) ~= 'r' or unspent(token) ~= token or not lives(token, ARGV[1]) then
  return answer('missing', 0)
end
prune(ARGV[1])
local new, known = {}, 0
for i = 4, #ARGV, 2 do
  local stored = new[ARGV[i]] or redis.call('HGET', KEYS[1], ARGV[i])
  if not stored then new[ARGV[i]] = ARGV[i + 1]
  elseif unspent(stored) ~= ARGV[i + 1] then return answer('conflict', 0)
  else known = 1 end
end
for field, text in pairs(new) do redis.call('HSET', KEYS[1], field, text) end
expire(KEYS[1], tonumber(ARGV[3]))
return answer('added', known)`)

/**
 * Removes a live token, and with the last one the grant. ARGV: now, the id of the token.
 * Returns nothing, or 1 if it was the last and the fields of the grant.
 */
export const revokeToken = new Script<readonly [last: 0 | 1, ...own: OwnFields] | null>(`${READ}
local grant = own(ARGV[2])
if grant == nil then return false end
if not grant then return ${REFUSE} end
local token = grant[4]
if token and not readable(token) then return ${REFUSE} end
if not token or not lives(token, ARGV[1]) then return false end
redis.call('HDEL', KEYS[1], 't:' .. ARGV[2])
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 't:' then return { 0, grant[1], grant[2], grant[3] } end
end
redis.call('DEL', KEYS[1])
return { 1, grant[1], grant[2], grant[3] }`)

/**
 * Removes a live grant that matches. ARGV: now, "=<organisation>" and "=<user>" (empty: any), the epoch below which it must be
 * (empty: any). Returns nothing, or the fields of the grant and the ids of its unspent tokens.
 */
export const revokeGrant = new Script<readonly [...own: OwnFields, ...tokenIds: string[]] | null>(`${READ}
local grant = own('')
if grant == nil then return false end
if not grant then return ${REFUSE} end
if ARGV[2] ~= '' then
  local org = string.match(grant[1], '^[^\\n]*\\n[^\\n]*\\n(.*)$')
  if ARGV[2] ~= (org and '=' .. org or grant[2]) then return false end
end
if ARGV[3] ~= '' and ARGV[3] ~= grant[3] then return false end
if ARGV[4] ~= '' then
  local epoch = string.match(grant[1], '^2 %d+ (%d+) ')
  if tonumber(epoch) >= tonumber(ARGV[4]) then return false end
end
local revoked, alive = { grant[1], grant[2], grant[3] }, false
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 't:' then
    if lives(fields[i + 1], ARGV[1]) then alive = true end
    -- Spent tokens are in no index.
    if unspent(fields[i + 1]) == fields[i + 1] then revoked[#revoked + 1] = string.sub(fields[i], 3) end
  end
end
if not alive then return false end
redis.call('DEL', KEYS[1])
return revoked`)

import { REFUSE, Script } from './script.ts'

/*
 * A versioned record (an app, a credential, the key ring) is a string: "2 <version> <expiresAt, or -> <JSON>", where 2 is the
 * format. A one-time entry is "2<claimer><consumer><expiresAt> <JSON>", each of the two the digest of an attempt in 40
 * hexadecimal digits, or 40 zeros.
 *
 * Scripts judge expiry by the `now` they are given. The time to live of a key only makes Redis forget it.
 */

/**
 * Writes a record iff the stored version is one less; a repeat of the stored write counts as that write.
 * KEYS: the record. ARGV: its version, its text, now, time to live (0: for ever).
 */
export const saveRecord = new Script<0 | 1>(`
local stored = redis.call('GET', KEYS[1])
local version = 0
if stored then
  local number, expires = string.match(stored, '^2 (%d+) ([%d-]+) ')
  if not number then return ${REFUSE} end
  if expires == '-' or tonumber(expires) > tonumber(ARGV[3]) then
    if stored == ARGV[2] then return 1 end
    version = tonumber(number)
  end
end
if version ~= ARGV[1] - 1 then return 0 end
if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4]) end
return 1`)

/** Removes a record. KEYS: the record. Returns how many were there. */
export const deleteRecord = new Script<0 | 1>(`
local stored = redis.call('GET', KEYS[1])
if not stored then return 0 end
if not string.find(stored, '^2 %d+ [%d-]+ ') then return ${REFUSE} end
return redis.call('DEL', KEYS[1])`)

/** Lua: when a one-time entry expires; nil if it is in another format. */
const EXPIRY = `string.match(entry, '^2${'%x'.repeat(80)}(%d+) ')`

/** Stores an entry in the place of one that is there. KEYS: the entry. ARGV: its text, time to live. */
export const putEntry = new Script<1>(`
local entry = redis.call('GET', KEYS[1])
if entry and not ${EXPIRY} then return ${REFUSE} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

/**
 * Records the first attempt to consume. KEYS: the entry. ARGV: the digest of the attempt.
 * Returns nothing, or the entry as it is afterwards.
 */
export const consumeEntry = new Script<string | null>(`
local entry = redis.call('GET', KEYS[1])
if not entry then return false end
if not ${EXPIRY} then return ${REFUSE} end
if string.sub(entry, 42, 81) == string.rep('0', 40) then
  entry = string.sub(entry, 1, 41) .. ARGV[1] .. string.sub(entry, 82)
  redis.call('SET', KEYS[1], entry, 'KEEPTTL')
end
return entry`)

/**
 * Stores an entry unless a live one is there. KEYS: the entry. ARGV: now, the digest of the attempt, time to live, the text
 * with that attempt as its claimer. 1: the entry that is there was claimed by this attempt.
 */
export const claimEntry = new Script<0 | 1>(`
local entry = redis.call('GET', KEYS[1])
if entry then
  local expires = ${EXPIRY}
  if not expires then return ${REFUSE} end
  if tonumber(expires) > tonumber(ARGV[1]) then
    if string.sub(entry, 2, 41) == ARGV[2] then return 1 else return 0 end
  end
end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
return 1`)

/** Removes an entry iff this attempt claimed it. KEYS: the entry. ARGV: the digest of the attempt. */
export const forgetEntry = new Script<0 | 1>(`
local entry = redis.call('GET', KEYS[1])
if not entry then return 0 end
if not ${EXPIRY} then return ${REFUSE} end
if string.sub(entry, 2, 41) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`)

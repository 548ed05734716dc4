import { EXPIRING_INDEX, Script } from './script.ts'

/*
 * An organisation's apps are in two indexes: the deleted ones, and the others. A member is the app's id followed by digests of
 * the fields that a list filters by: the status (8 digits), the origin (8), the creator (16). Of equal scores, Redis returns the
 * greater member first when reading backwards, which is the order of a list.
 */

/**
 * Adds an app to an index. `exactly` sets when the member expires; without it, a member only ever lives longer, because the
 * record may yet be the old one. Also removes up to 50 expired members.
 * KEYS: order, expires. ARGV: now, when it was created, the member, when it expires (or -), `exactly` or nothing.
 */
export const enlistApp = new Script<1>(`${EXPIRING_INDEX}
sweep(KEYS[1], KEYS[2], ARGV[1], 50)
local known = redis.call('ZSCORE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
if ARGV[4] == '-' then redis.call('ZREM', KEYS[2], ARGV[3])
elseif ARGV[5] == 'exactly' or not known then redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
else redis.call('ZADD', KEYS[2], 'XX', 'GT', ARGV[4], ARGV[3]) end
retain(KEYS[1], KEYS[2], ARGV[1])
return 1`)

/** Removes members from an index. KEYS: order, expires. ARGV: now, the members. */
export const strikeApps = new Script<1>(`${EXPIRING_INDEX}
for i = 2, #ARGV do
  redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
retain(KEYS[1], KEYS[2], ARGV[1])
return 1`)

/**
 * KEYS: order, expires. ARGV: now, offset, limit, then the digests of the wanted status, origin and creator (empty: any).
 * Returns the total and the members of one page, newest first. First removes everything that has expired.
 *
 * Without filters this reads a page of the index. With any of them it scans the index of the organisation, because the total
 * must be exact: about 10 ms for 20,000 apps. Records are read for the page alone.
 */
export const pageOfApps = new Script<readonly [total: number, ...members: string[]]>(`${EXPIRING_INDEX}
while sweep(KEYS[1], KEYS[2], ARGV[1], 1000) == 1000 do end
local offset, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local page = { redis.call('ZCARD', KEYS[1]) }
local status, origin, creator = ARGV[4], ARGV[5], ARGV[6]
if status == '' and origin == '' and creator == '' then
  if limit > 0 then
    for _, member in ipairs(redis.call('ZREVRANGE', KEYS[1], offset, offset + limit - 1)) do page[#page + 1] = member end
  end
  return page
end
local matching = 0
for start = 0, page[1] - 1, 1000 do
  for _, member in ipairs(redis.call('ZREVRANGE', KEYS[1], start, start + 999)) do
    if (status == '' or string.sub(member, 25, 32) == status)
      and (origin == '' or string.sub(member, 33, 40) == origin)
      and (creator == '' or string.sub(member, 41, 56) == creator) then
      matching = matching + 1
      if matching > offset and matching <= offset + limit then page[#page + 1] = member end
    end
  end
end
page[1] = matching
return page`)

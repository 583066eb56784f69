-- Says in which form this gateway writes sessions, unless somebody who is running said otherwise.
-- KEYS[1] the hash of contracts and the ends of their leases, ms; ARGV[1] our contract;
-- ARGV[2] the lease, ms; ARGV[3] '1' says it whatever others say; ARGV[4...] contracts of others that
-- were looked at and fit.
-- Returns those that have still to be looked at, and has written nothing; or {}, and ours stands.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = { [ARGV[1]] = true }
for i = 4, #ARGV do known[ARGV[i]] = true end

local all = redis.call('HGETALL', KEYS[1])
local kept, unknown = {}, {}
for i = 1, #all, 2 do
  if (tonumber(all[i + 1]) or 0) > now then
    table.insert(kept, all[i])
    table.insert(kept, all[i + 1])
    if not known[all[i]] then table.insert(unknown, all[i]) end
  end
end
if #unknown > 0 and ARGV[3] ~= '1' then return unknown end

-- Takes out what has lapsed; and a full Redis lets a script finish that has begun by DEL.
redis.call('DEL', KEYS[1])
if #kept > 0 then redis.call('HSET', KEYS[1], unpack(kept)) end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {}

-- Lets both records live no longer than their permissions are good for, whatever slides them, until
-- new ones are stored. Never lengthens. The second is the record's own: who failed to ask may have read
-- it before somebody else stored new permissions, and those must not end with the old ones.
-- ARGV: the version of the permissions that were asked for in vain.
-- Returns the deadline in force, or nil if the session is gone, by this or before.
local state = pair_state()
if state == 'wrong-type' then return redis.error_reply('WRONGTYPE a session key holds no hash') end
if state ~= 'alive' then return false end

local fields = redis.call('HMGET', KEYS[2], 'expires_at', 'perm_version', 'perm_fresh_until')
local expires, cap = tonumber(fields[1] or ''), tonumber(fields[3] or '')
if not (expires and cap) then return false end
if fields[2] ~= ARGV[1] then return digits(expires) end
if cap <= server_seconds() then
  redis.call('DEL', KEYS[1], KEYS[2])
  return false
end

local goal = math.min(expires, cap)
return move_deadline(expires, goal, {
  { 'HSET', KEYS[2], 'expires_at', digits(goal), 'cap_at', digits(cap) },
  { 'HSET', KEYS[1], 'expires_at', digits(goal) },
})

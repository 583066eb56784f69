-- Lets both records live no longer than a given second, whatever slides them, until new permissions
-- are stored. Never lengthens.
-- ARGV: the second. Returns the deadline in force, or nil if the session is gone, by this or before.
local state = pair_state()
if state == 'wrong-type' then return redis.error_reply('WRONGTYPE a session key holds no hash') end
if state ~= 'alive' then return false end

local fields = redis.call('HMGET', KEYS[2], 'expires_at', 'cap_at')
local expires = tonumber(fields[1] or '')
if not expires then return false end
local cap = math.min(tonumber(ARGV[1]), tonumber(fields[2] or '') or math.huge)
if cap <= server_seconds() then
  redis.call('DEL', KEYS[1], KEYS[2])
  return false
end

local goal = math.min(expires, cap)
return move_deadline(expires, goal, {
  { 'HSET', KEYS[2], 'expires_at', digits(goal), 'cap_at', digits(cap) },
  { 'HSET', KEYS[1], 'expires_at', digits(goal) },
})

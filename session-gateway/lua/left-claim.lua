-- Leases tokens that somebody has to see to, and forgets those that are too old for it.
-- KEYS the plan; ARGV: how many at most, lease ms, ms to live.
-- Returns { leased, too old }.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- First what a full memory does not refuse: what is claimed makes room soon.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local before = string.format('%.0f', now - tonumber(ARGV[3]))
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', before, 'LIMIT', 0, 100)
if #old > 0 then
  redis.call('ZREM', KEYS[1], unpack(old))
  redis.call('ZREM', KEYS[2], unpack(old))
end
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
local free = string.format('%.0f', now + tonumber(ARGV[2]))
for _, handle in ipairs(due) do redis.call('ZADD', KEYS[1], 'XX', free, handle) end
return { due, old }

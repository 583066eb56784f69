-- Leases sessions that are due: whoever claims them has them alone for a while, and if it dies they
-- are due again. KEYS[1] the set; ARGV: how many at most, lease in seconds, TTL of the set in ms.
-- Returns { now, since when the first of them has been due, handles ... }
local now = tonumber(redis.call('TIME')[1])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local answer = { now, math.floor(tonumber(due[2] or now)) }
for at = 1, #due, 2 do
  redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[2]), due[at])
  table.insert(answer, due[at])
end
if #due > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return answer

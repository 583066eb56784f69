-- The order of all revocations. Missing means that Redis lost it, and every epoch with it or not:
-- seeded from the clock it is above all it ever was.
-- KEYS[1] the counter; KEYS[2] a key that never exists, in the same slot; ARGV[1] '1' advances it.
local advance = ARGV[1] == '1'
-- Once a script has written, Redis lets it finish although memory is full, and DEL is never refused.
-- Without this a full Redis could revoke nobody (ATTACKS 13).
if advance then redis.call('DEL', KEYS[2]) end
if redis.call('EXISTS', KEYS[1]) == 0 then
  local time = redis.call('TIME')
  redis.call('SET', KEYS[1], string.format('%d%06d', time[1], time[2]))
end
if advance then redis.call('INCR', KEYS[1]) end
return redis.call('GET', KEYS[1])

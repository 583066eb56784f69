-- Writes a revocation down as under way, or renews the lease on it. Whoever dies over it leaves it
-- to the others.
-- KEYS[1] the jobs; ARGV: job, lease ms, ms to live, '1' to renew only.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local time = redis.call('TIME')
local free = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]))
-- A renewal must not bring back a job that somebody else has finished.
if ARGV[4] == '1' then
  redis.call('ZADD', KEYS[1], 'XX', free, ARGV[1])
else
  redis.call('ZADD', KEYS[1], free, ARGV[1])
end
return redis.call('PEXPIRE', KEYS[1], ARGV[3])

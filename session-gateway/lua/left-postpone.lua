-- Somebody is to see to these tokens later, unless that has been done meanwhile.
-- KEYS[1] the plan by when; ARGV: in how many ms, handle, ms to live.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now + tonumber(ARGV[1])), ARGV[2])

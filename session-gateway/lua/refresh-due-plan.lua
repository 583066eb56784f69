-- Notes when a session is next due. KEYS[1] the set; ARGV: second, handle, 'NX' to keep a note that
-- is there (another replica may hold its lease), TTL of the set in ms, and how many seconds must pass
-- first: by the clock that claims go by, since the caller's may be behind it and a plan that is already
-- past would be claimed again at once, for ever.
local second, wait = tonumber(ARGV[1]), tonumber(ARGV[5])
if wait > 0 then second = math.max(second, tonumber(redis.call('TIME')[1]) + wait) end
if ARGV[3] == 'NX' then
  redis.call('ZADD', KEYS[1], 'NX', second, ARGV[2])
else
  redis.call('ZADD', KEYS[1], second, ARGV[2])
end
return redis.call('PEXPIRE', KEYS[1], ARGV[4])

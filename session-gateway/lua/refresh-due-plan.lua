-- Notes when a session is next due. KEYS[1] the set; ARGV: second, handle, 'NX' to keep a note that
-- is there (another replica may hold its lease), TTL of the set in ms.
if ARGV[3] == 'NX' then
  redis.call('ZADD', KEYS[1], 'NX', ARGV[1], ARGV[2])
else
  redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
end
return redis.call('PEXPIRE', KEYS[1], ARGV[4])

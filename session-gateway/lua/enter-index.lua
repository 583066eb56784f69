-- Enters a session into its owners' indexes, unless one of them was revoked since its login began.
-- Called before the session is created and again after it: the second time tells whether a
-- revocation came in between, and puts back what a pruning took (ATTACKS 9, 27).
-- KEYS: an index and its epoch for each owner; ARGV: handle, absolute seconds, the login's sequence.
-- Returns 1, or 0 if one was revoked.
for at = 2, #KEYS, 2 do
  if tonumber(redis.call('GET', KEYS[at]) or '0') > tonumber(ARGV[3]) then return 0 end
end
local now = tonumber(redis.call('TIME')[1])
for at = 1, #KEYS, 2 do
  -- First of all: a login that full memory refuses must leave no ghost behind.
  redis.call('ZADD', KEYS[at], 'GT', string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
  local last = redis.call('ZRANGE', KEYS[at], -1, -1, 'WITHSCORES')[2]
  local reply = redis.pcall('PEXPIREAT', KEYS[at], string.format('%.0f', tonumber(last) * 1000))
  if type(reply) == 'table' and reply.err then
    for entered = 1, at, 2 do redis.pcall('ZREM', KEYS[entered], ARGV[1]) end
    return reply
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[at], '-inf', now)
end
return 1

-- Enters a session into one of its owner's indexes, unless the owner was revoked since its login
-- began. Called before the session is created and again after it: the second time tells whether a
-- revocation came in between, and puts back what a pruning took (ATTACKS 9, 27).
-- KEYS[1] the index; KEYS[2] the epoch; ARGV: handle, absolute seconds, the login's sequence.
-- Returns 1, or 0 if it was revoked.
if tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[3]) then return 0 end
local now = tonumber(redis.call('TIME')[1])
-- First of all: a login that full memory refuses must leave no ghost behind.
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local reply = redis.pcall('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last) * 1000))
if type(reply) == 'table' and reply.err then
  redis.pcall('ZREM', KEYS[1], ARGV[1])
  return reply
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return 1

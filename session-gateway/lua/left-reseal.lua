-- Puts the same tokens, sealed anew, in place of the old text, unless they have been seen to.
-- KEYS[1] what is left of a session; ARGV: the old text, the new one. Returns 1 or 0.
local ttl = redis.call('PTTL', KEYS[1])
if ttl <= 0 or redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ttl)
return 1

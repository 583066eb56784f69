-- Puts the same tokens, sealed anew, in place of the old ones, unless others have come meanwhile.
-- ARGV: the old text, the new one. Returns 'stored', 'changed' or 'gone'.
local state = pair_state()
if state == 'wrong-type' then return redis.error_reply('WRONGTYPE a session key holds no hash') end
if state ~= 'alive' then return 'gone' end
if redis.call('HGET', KEYS[2], 'tokens') ~= ARGV[1] then return 'changed' end
redis.call('HSET', KEYS[2], 'tokens', ARGV[2])
return 'stored'

-- Makes a revocation known to every login, slide and refresh of its owner. Only raised, its life only
-- lengthened: an epoch that ran out would let a revoked session go on (ATTACKS 9).
-- KEYS[1] the epoch; ARGV: the revocation's sequence, milliseconds to live.
local life = string.format('%.0f', math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2])))
-- Also the first write, after which a full memory no longer refuses SET (see revoke-seq.lua).
redis.call('PEXPIRE', KEYS[1], life)
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', life)
end
return redis.call('GET', KEYS[1])

-- Removes both records and leaves their tokens, unless another has. After the DEL no memory limit
-- refuses the SET (see revoke-seq.lua), and nothing that it is refused for keeps a session alive.
-- KEYS[3] where; ARGV: what is left, ms to live. Returns how many records there were.
local removed = redis.call('DEL', KEYS[1], KEYS[2])
if removed > 0 then redis.pcall('SET', KEYS[3], ARGV[1], 'PX', ARGV[2]) end
return removed

-- Ends a session and says what it was, in one step: tokens that a refresh stores are either in the
-- answer, or find nothing to be stored in. Whatever the keys hold, and whatever else is refused, they
-- go: only the DEL may fail. Returns what `look` does.
local known, answer = pcall(look)
redis.call('DEL', KEYS[1], KEYS[2])
return known and answer or { 'absent' }

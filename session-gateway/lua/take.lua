-- Ends a session and says what it was, in one step: tokens that a refresh stores are either in the
-- answer, or find nothing to be stored in. Whatever the keys hold, and whatever else is refused, they
-- go: only the DEL may fail.
-- Returns what `find` does.
local function look()
  local state = pair_state()
  if state ~= 'alive' then return { state } end
  return {
    state,
    digits(server_seconds()),
    redis.call('HGET', KEYS[1], 'expires_at'),
    redis.call('HGETALL', KEYS[2]),
  }
end
local known, answer = pcall(look)
redis.call('DEL', KEYS[1], KEYS[2])
return known and answer or { 'absent' }

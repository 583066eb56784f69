-- Reads both records as of one instant and writes nothing.
-- Returns { state } or { 'alive', server's seconds, the reader's expires_at, the gateway's pairs }.
local state = pair_state()
if state ~= 'alive' then return { state } end
return {
  state,
  digits(server_seconds()),
  redis.call('HGET', KEYS[1], 'expires_at'),
  redis.call('HGETALL', KEYS[2]),
}

-- Put before every script on a session that exists. Every script that uses it has
--   KEYS[1]  the reader's hash
--   KEYS[2]  the gateway's own record, in the same slot
-- and writes only after this has looked at both: an error in the middle of a script rolls nothing
-- back (ATTACKS 8).

-- 'alive', 'absent', or what is wrong. A record without a TTL would live for ever: it is no session.
local function pair_state()
  local found = 0
  for _, key in ipairs({ KEYS[1], KEYS[2] }) do
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= 'hash' then return 'wrong-type' end
    if kind == 'hash' then
      found = found + 1
      if redis.call('PTTL', key) < 0 then return 'immortal' end
    end
  end
  if found == 0 then return 'absent' end
  return found == 2 and 'alive' or 'half'
end

-- The server's clock, whole seconds: no caller's clock decides how long a session lives.
local function server_seconds()
  return tonumber(redis.call('TIME')[1])
end

local function digits(number)
  return string.format('%.0f', number)
end

local function is_error(reply)
  return type(reply) == 'table' and reply.err ~= nil
end

-- Both records as of one instant: { state }, or
-- { 'alive', server's seconds, the reader's expires_at, the gateway's pairs }.
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

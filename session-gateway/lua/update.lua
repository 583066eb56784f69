-- Stores new tokens, new permissions, or both, each only if its version is still the one the caller
-- read (ATTACKS 12). Leaves the deadline alone and never creates.
-- ARGV: expected token version or '', tokens, token_expires_at,
--       expected permission version, 'any' or '', roles, permissions, seconds they stay fresh,
--       what the claims that came with the tokens grant, or '' for as before.
-- Returns { 'gone' } or { 'updated', tokens' outcome, permissions' outcome }, and as a fourth, where a
-- cap was lifted, when the session was last in use: only the record knows of both.
local state = pair_state()
if state == 'wrong-type' then return redis.error_reply('WRONGTYPE a session key holds no hash') end
if state ~= 'alive' then return { 'gone' } end

local gateway, reader = {}, {}
local function add(record, ...)
  for _, item in ipairs({ ... }) do table.insert(record, item) end
end

local function outcome(expected, field)
  if expected == '' then return 'untouched' end
  if expected == 'any' then return 'stored' end
  return redis.call('HGET', KEYS[2], field) == expected and 'stored' or 'conflict'
end

local tokens = outcome(ARGV[1], 'token_version')
if tokens == 'stored' then
  local version = digits(tonumber(ARGV[1]) + 1)
  add(gateway, 'tokens', ARGV[2], 'token_expires_at', ARGV[3], 'token_version', version,
    'tokens_at', digits(server_seconds()))
  -- A replica of the version before sends no eighth.
  if (ARGV[8] or '') ~= '' then add(gateway, 'claimed', ARGV[8]) end
end

local permissions = outcome(ARGV[4], 'perm_version')
local answer = { 'updated', tokens, permissions }
if permissions == 'stored' then
  -- Not from ARGV: 'any' names none.
  local version = digits(tonumber(redis.call('HGET', KEYS[2], 'perm_version') or '0') + 1)
  local fresh_until = digits(server_seconds() + tonumber(ARGV[7]))
  add(reader, 'roles', ARGV[5], 'permissions', ARGV[6], 'perm_version', version)
  local held = redis.call('HMGET', KEYS[2], 'cap_at', 'last_accessed_at')
  if (held[1] or '') ~= '' then add(answer, held[2] or '0') end
  add(gateway, 'perm_fresh_until', fresh_until, 'cap_at', '', unpack(reader))
end

-- One command per record, the same one: whoever is refused the second was refused the first.
if #gateway > 0 then redis.call('HSET', KEYS[2], unpack(gateway)) end
if #reader > 0 then redis.call('HSET', KEYS[1], unpack(reader)) end
return answer

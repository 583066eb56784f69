-- Reads both records but the tokens, which are most of a record and of no use to whoever only asks who
-- is logged in. Writes nothing. Returns { state }, or
-- { 'alive', server's seconds, the reader's expires_at, the values of these fields in this order }.
local fields = {
  'sub', 'iss', 'idp', 'sid', 'email', 'email_verified', 'name', 'picture', 'acr', 'auth_time',
  'user_id', 'roles', 'permissions', 'kind', 'seq', 'device_hint', 'ip_prefix',
  'token_expires_at', 'tokens_at', 'token_version', 'perm_version', 'perm_fresh_until', 'cap_at',
  'created_at', 'last_accessed_at', 'expires_at', 'absolute_expires_at',
  'claimed', 'created_micros',
}
local state = pair_state()
if state ~= 'alive' then return { state } end
return {
  state,
  digits(server_seconds()),
  redis.call('HGET', KEYS[1], 'expires_at'),
  redis.call('HMGET', KEYS[2], unpack(fields)),
}

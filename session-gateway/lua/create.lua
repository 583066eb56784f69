-- Writes both records of a session that must not exist yet.
-- ARGV: idle seconds, absolute seconds, seconds the permissions stay fresh,
--       how many of the rest belong to the gateway's record, its pairs, the reader's pairs.
-- Returns { created_at, expires_at, absolute_expires_at, perm_fresh_until, created_micros }, or nil if
-- either exists.
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return false end

local time = redis.call('TIME')
local now = tonumber(time[1])
local absolute = now + tonumber(ARGV[2])
local expires = math.min(now + tonumber(ARGV[1]), absolute)
local fresh_until = now + tonumber(ARGV[3])

local gateway = {
  'created_at', digits(now), 'last_accessed_at', digits(now), 'expires_at', digits(expires),
  'absolute_expires_at', digits(absolute), 'perm_fresh_until', digits(fresh_until),
  -- Two logins of one second have an order too.
  'created_micros', time[2],
}
local reader = { 'created_at', digits(now), 'expires_at', digits(expires) }
local first_of_reader = 5 + tonumber(ARGV[4])
for i = 5, #ARGV do
  table.insert(i < first_of_reader and gateway or reader, ARGV[i])
end

-- The first write is the one that OOM may refuse. After it nothing may be left half done: a user
-- without PEXPIREAT would leave a record that never ends, so any refusal takes everything back.
-- The reader's record, the one that lets people in, comes last.
local deadline = digits(expires * 1000)
redis.call('HSET', KEYS[2], unpack(gateway))
local rest = {
  { 'PEXPIREAT', KEYS[2], deadline },
  { 'HSET', KEYS[1], unpack(reader) },
  { 'PEXPIREAT', KEYS[1], deadline },
}
for _, command in ipairs(rest) do
  local reply = redis.pcall(unpack(command))
  if is_error(reply) then
    redis.pcall('DEL', KEYS[1], KEYS[2])
    return reply
  end
end
return { digits(now), digits(expires), digits(absolute), digits(fresh_until), time[2] }

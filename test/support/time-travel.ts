import type { Redis } from 'ioredis';

/**
 * Lets time pass for everything that Redis keeps: every instant that stands there, and every TTL, comes
 * nearer by so many seconds. To be called while nothing else is done.
 */
export async function letTimePass(admin: Redis, seconds: number): Promise<void> {
  await admin.eval(shift, 0, seconds);
}

const shift = `
local by = tonumber(ARGV[1])
local instants = {
  'created_at', 'expires_at', 'last_accessed_at', 'absolute_expires_at', 'token_expires_at',
  'perm_fresh_until', 'tokens_at', 'cap_at',
}
local function digits(number) return string.format('%.0f', number) end
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local ttl = redis.call('PTTL', key)
  if kind == 'hash' then
    for _, field in ipairs(instants) do
      local value = tonumber(redis.call('HGET', key, field) or '')
      if value then redis.call('HSET', key, field, digits(math.max(1, value - by))) end
    end
  elseif kind == 'zset' then
    local unit = key == 'gateway:revoke-due' and 1000 or 1
    local members = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for at = 1, #members, 2 do
      redis.call('ZADD', key, digits(tonumber(members[at + 1]) - by * unit), members[at])
    end
  elseif key:find('^gateway:refresh%-lock:') then
    local rest, lease = redis.call('GET', key):match('^(.*|)(%d+)$')
    if lease then redis.call('SET', key, rest .. digits(tonumber(lease) - by * 1000)) end
  end
  local ends = kind == 'hash' and tonumber(redis.call('HGET', key, 'expires_at') or '')
  -- The TTL of a record is that of its end, to the millisecond.
  if ends and ttl >= 0 then
    redis.call('PEXPIREAT', key, digits(ends * 1000))
  elseif ttl > by * 1000 then
    redis.call('PEXPIRE', key, digits(ttl - by * 1000))
  elseif ttl >= 0 then
    redis.call('DEL', key)
  end
end`;

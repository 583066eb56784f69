import type { Redis } from 'ioredis';

/**
 * What is wrong with what Redis keeps, whatever is under way: I3 and I8 of TRUST §4. Both records or
 * none, with one end that is not beyond the absolute one; every key with a TTL but the one named.
 */
export async function scanRecords(admin: Redis): Promise<string[]> {
  return (await admin.eval(scan, 0)) as string[];
}

const scan = `
local wrong = {}
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local function say(what, key) table.insert(wrong, what .. ' ' .. key) end
for _, key in ipairs(redis.call('KEYS', '*')) do
  local ttl = redis.call('PTTL', key)
  if ttl == -1 and key ~= 'gateway:revoke-seq' then say('I8 no TTL:', key) end
  if ttl > (86400 + 900) * 1000 then say('I8 a TTL beyond everything:', key) end
  local reader = key:match('^gateway:session:{(.*)}$')
  if reader then
    if redis.call('EXISTS', reader) == 0 then say('I3 one record without the other:', key) end
  elseif key:find('^extauthz:session:') then
    local gateway = 'gateway:session:{' .. key .. '}'
    if redis.call('EXISTS', gateway) == 0 then
      say('I3 one record without the other:', key)
    else
      local ends = tonumber(redis.call('HGET', key, 'expires_at') or '0')
      local absolute = tonumber(redis.call('HGET', gateway, 'absolute_expires_at') or '0')
      if ends ~= tonumber(redis.call('HGET', gateway, 'expires_at') or '1') then say('I3 two ends:', key) end
      if math.abs(redis.call('PTTL', gateway) - ttl) > 250 then say('I3 two TTLs:', key) end
      if ends > absolute then say('I3 beyond its absolute end:', key) end
      if math.abs(ends * 1000 - now - ttl) > 1500 then say('I3 a TTL that is not its end:', key) end
    end
  end
end
return wrong`;

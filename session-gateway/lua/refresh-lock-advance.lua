-- Changes the lock, only for its owner: one that was paused beyond its lease finds another's name.
-- KEYS[1] the lock, as in refresh-lock-acquire.
-- ARGV: owner, then 'release', or the next owner ('' and '?' leave it resting), what to add to `uses`,
--       the most that `uses` may be, lease in ms, ms to remember uses for. A release that leaves uses
--       to be remembered keeps the lock, and anybody may take it at once.
-- Returns 1, or 0 if the caller does not hold it.
local text = redis.call('GET', KEYS[1])
if not text then return 0 end
local owner, version, uses = text:match('^([^|]*)|(%d+)|(%d+)|%d+$')
if owner ~= ARGV[1] then return 0 end
uses = math.min(tonumber(uses) + tonumber(ARGV[3]), tonumber(ARGV[4]))
local released = ARGV[2] == 'release'
if released and uses <= 0 then
  redis.call('DEL', KEYS[1])
  return 1
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = released and 0 or tonumber(ARGV[5])
local remembered = uses > 0 or ARGV[2] == '?'
local ttl = remembered and math.max(lease, tonumber(ARGV[6])) or lease
local value = string.format('%s|%s|%d|%.0f', released and '' or ARGV[2], version, uses, now + lease)
redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', ttl))
return 1

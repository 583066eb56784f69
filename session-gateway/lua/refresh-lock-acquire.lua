-- Takes a session's refresh lock, if nobody has it.
-- KEYS[1] the lock: owner|token version|uses|end of the lease in ms. `uses` counts how often the
--         refresh token of that version was sent and nobody saw the end of it. No owner, or '?', is one
--         that rests after a failure; '?': it was sent, and its fate is unknown.
-- ARGV: owner, token version, lease in ms.
-- Returns { 'held', uses, 1 if it was sent before }, { 'busy' }, { 'resting' }, or { 'spent' }.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local version = ARGV[2]
local uses = 0
local left = 0
local sent_before = 0
local text = redis.call('GET', KEYS[1])
if text then
  local owner, sent, used, lease_end = text:match('^([^|]*)|(%d+)|(%d+)|(%d+)$')
  if lease_end and tonumber(lease_end) > now then
    return { (owner == '' or owner == '?') and 'resting' or 'busy' }
  end
  -- A later version than the caller's: it read the session before a refresh and was paused since. It
  -- will find that out, and must not wipe out meanwhile what is counted of the newer token.
  if sent and tonumber(sent) >= tonumber(version) then
    version = sent
    uses = tonumber(used)
    if uses > 0 or owner == '?' then sent_before = 1 end
  end
end
-- One retry of a token whose first use may have been its last, and no more (ATTACKS 39).
if uses > 1 then return { 'spent' } end
if uses > 0 then left = redis.call('PTTL', KEYS[1]) end

local lease = tonumber(ARGV[3])
local value = string.format('%s|%s|%d|%.0f', ARGV[1], version, uses, now + lease)
redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', math.max(lease, left)))
return { 'held', uses, sent_before }

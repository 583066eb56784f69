-- Moves the idle deadline of both records; never shortens it, never passes the absolute one or the
-- cap of permissions that could not be asked for again, never brings anything back (ATTACKS 8, 17).
-- Permissions that are overdue, and that nobody even asked for again, move nothing either: a worker that
-- does not get round to a session must not let it go on for ever as it was (TRUST R17).
-- ARGV: idle seconds, when the session was in use (seconds) or ''.
-- Returns the deadline in force, or nil if the session is gone.
local state = pair_state()
if state == 'wrong-type' then return redis.error_reply('WRONGTYPE a session key holds no hash') end
if state ~= 'alive' then return false end

local now = server_seconds()
local fields = redis.call('HMGET', KEYS[2], 'expires_at', 'absolute_expires_at',
  'last_accessed_at', 'cap_at', 'perm_fresh_until')
local expires, absolute = tonumber(fields[1] or ''), tonumber(fields[2] or '')
local accessed = tonumber(fields[3] or '')
local cap = tonumber(fields[4] or '') or absolute
if (tonumber(fields[5] or '') or absolute) <= now then cap = 0 end
-- Overdue or unreadable: such a record must run out, not be renewed.
if not (expires and absolute and accessed) or expires <= now or absolute <= now then return false end

-- An event that claims the future would hold the session longer than any use of it.
local used = math.min(tonumber(ARGV[2]) or now, now)
local goal = math.min(used + tonumber(ARGV[1]), absolute, cap)
if not (goal > expires) then
  if used > accessed then redis.call('HSET', KEYS[2], 'last_accessed_at', digits(used)) end
  return digits(expires)
end

local last = digits(math.max(used, accessed))
return move_deadline(expires, goal, {
  { 'HSET', KEYS[2], 'expires_at', digits(goal), 'last_accessed_at', last },
  { 'HSET', KEYS[1], 'expires_at', digits(goal) },
})

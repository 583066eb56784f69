-- Put between pair.lua and a script that moves the deadline.

local function set_deadline(seconds)
  for _, key in ipairs({ KEYS[1], KEYS[2] }) do
    redis.call('PEXPIREAT', key, digits(seconds * 1000))
  end
end

-- The deadline first: a user without PEXPIREAT is stopped before anything is written, one without
-- HSET has the deadline put back; and memory limits, which refuse an HSET, do not once something was
-- written. Returns the deadline in force, or the error.
local function move_deadline(from, to, writes)
  set_deadline(to)
  for _, command in ipairs(writes) do
    local reply = redis.pcall(unpack(command))
    if is_error(reply) then
      set_deadline(from)
      return reply
    end
  end
  return digits(to)
end

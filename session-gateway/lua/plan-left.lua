-- Put before the scripts that know of tokens to be revoked at the provider.

-- Notes in the plan that somebody has to see to the tokens that sessions leave.
-- `order`: life, lease (ms), limit. Returns whom that pushed out: nobody may fill Redis by logging out.
local function plan_left(due, ended, handles, order)
  -- First what a full memory does not refuse.
  redis.call('PEXPIRE', due, order.life)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  for _, handle in ipairs(handles) do
    redis.call('ZADD', due, string.format('%.0f', now + order.lease), handle)
    redis.call('ZADD', ended, string.format('%.0f', now), handle)
  end
  redis.call('PEXPIRE', due, order.life)
  redis.call('PEXPIRE', ended, order.life)
  local over = math.min(redis.call('ZCARD', ended) - order.limit, 1000)
  if over < 1 then return {} end
  local oldest = redis.call('ZRANGE', ended, 0, over - 1)
  redis.call('ZREM', ended, unpack(oldest))
  redis.call('ZREM', due, unpack(oldest))
  return oldest
end

-- Ends a session and says what it was, in one step: tokens that a refresh stores are either in the
-- answer, or find nothing to be stored in. Whatever the keys hold, and whatever else is refused, they
-- go: only the DEL may fail. In the same step tokens that the provider is to revoke are left, still
-- sealed, for whoever gets to it: this process may die before.
-- KEYS[3] where they are left, in the same slot; KEYS[4], KEYS[5] the plan, left out in a Cluster,
-- where it has another slot.
-- ARGV[1] '' to leave none, or JSON: idps, replacedBy { idp, sub }, handle, life, lease (ms), limit.
-- Returns { what `look` does, whom the plan pushed out, how many of the two keys there were }.

-- What is to be left, as JSON, or nil.
local function tokens_to_leave(order)
  local idp, iss, sub, tokens = unpack(redis.call('HMGET', KEYS[2], 'idp', 'iss', 'sub', 'tokens'))
  if not (idp and iss and sub and tokens) then return nil end
  -- The login that takes its place lives on the same grant.
  local heir = order.replacedBy
  if heir and heir.idp == idp and heir.sub == sub then return nil end
  for _, one in ipairs(order.idps) do
    if one == idp then
      local at = digits(server_seconds())
      return cjson.encode({ idp = idp, iss = iss, sub = sub, endedAt = at, tokens = tokens })
    end
  end
end

local known, answer = pcall(look)
local order = ARGV[1] ~= '' and cjson.decode(ARGV[1])
local is_clear, left = pcall(function() return order and tokens_to_leave(order) end)
local ended = redis.call('DEL', KEYS[1], KEYS[2])
local pushed_out = {}
if is_clear and left then
  pcall(function()
    redis.call('SET', KEYS[3], left, 'PX', order.life)
    if KEYS[4] then pushed_out = plan_left(KEYS[4], KEYS[5], { order.handle }, order) end
  end)
end
return { known and answer or { 'absent' }, pushed_out, ended }

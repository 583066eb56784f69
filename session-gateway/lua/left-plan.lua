-- KEYS the plan; ARGV[1] JSON: handles, and as in `plan_left`. Returns { server's seconds, whom that
-- pushed out }.
local order = cjson.decode(ARGV[1])
local pushed_out = plan_left(KEYS[1], KEYS[2], order.handles, order)
return { redis.call('TIME')[1], pushed_out }

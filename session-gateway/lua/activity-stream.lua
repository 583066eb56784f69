-- Makes the activity stream usable: there, with the group, with a TTL, and not blocked by an id that
-- lies in the future, after which no entry of today can be added (ATTACKS 16).
-- And forgets consumers: each start of a replica is one, and Redis keeps them as long as the group. One
-- that has nothing unconfirmed can be forgotten; should it only have been paused, it is there again when
-- it reads.
-- KEYS[1] the stream; ARGV: group, seconds of the future that are still believed, TTL in ms, after how
-- many ms without a command a consumer is forgotten.
-- Returns what had to be done: 'nothing', 'made' or 'rebuilt'.
local done = 'nothing'
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'stream' then
  local now = tonumber(redis.call('TIME')[1])
  local about = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then
      local milliseconds = tonumber(about[i + 1]:match('^(%d+)'))
      if milliseconds > (now + tonumber(ARGV[2])) * 1000 then done = 'rebuilt' end
    end
  end
elseif kind ~= 'none' then
  done = 'rebuilt'
end
if done == 'rebuilt' then redis.call('DEL', KEYS[1]) end

local reply = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if type(reply) == 'table' and reply.err then
  if not reply.err:find('BUSYGROUP') then return reply end
elseif done == 'nothing' then
  done = 'made'
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])

for _, about in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #about, 2 do consumer[about[i]] = about[i + 1] end
  if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[4]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
  end
end
return done

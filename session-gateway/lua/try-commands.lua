-- Which commands the user may not run here. On a key that exists only while this runs, and of a type
-- that nearly all of them refuse: what may be run changes nothing, what may not is refused before.
-- KEYS[1] the key; ARGV[1] the commands, a JSON list of lists of words, '@' for the key.
-- Returns the names of those that were refused.
local function is_refused(reply)
  if type(reply) ~= 'table' or not reply.err then return false end
  for _, words in ipairs({ 'NOPERM', "can't run this command", "can't access", 'no permissions' }) do
    if reply.err:find(words, 1, true) then return true end
  end
  return false
end

local refused = {}
local function try(name, ...)
  local reply = redis.pcall(name, ...)
  if is_refused(reply) then table.insert(refused, name) end
  return type(reply) ~= 'table' or reply.err == nil
end

-- Without these two nothing that is tried could be taken back. A replica or a full memory refuses
-- them, too: then nothing is known here, and others say why.
local is_set = try('SET', KEYS[1], '', 'PX', '1000')
local is_deleted = try('DEL', KEYS[1])
if not (is_set and is_deleted) then return refused end

for _, command in ipairs(cjson.decode(ARGV[1])) do
  redis.pcall('SET', KEYS[1], '', 'PX', '1000')
  for i, word in ipairs(command) do
    if word == '@' then command[i] = KEYS[1] end
  end
  try(unpack(command))
end
redis.pcall('DEL', KEYS[1])
return refused

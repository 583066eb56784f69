-- Hands out a login transaction once, to the browser that began it.
-- KEYS[1] the transaction; ARGV[1] the hash of the caller's binding secret.
-- A wrong binding deletes nothing: or whoever learns a state could spoil a stranger's login.
local text = redis.call('GET', KEYS[1])
if not text then return false end
local ok, transaction = pcall(cjson.decode, text)
if not ok or type(transaction) ~= 'table' or transaction.binding ~= ARGV[1] then return false end
redis.call('DEL', KEYS[1])
return text

-- A page of an index with the time to judge it by.
-- KEYS[1] the index; ARGV: first, last. Returns { now, { handle, score, … } }.
return { redis.call('TIME')[1], redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'WITHSCORES') }

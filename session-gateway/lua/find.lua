-- Reads both records and writes nothing. Returns what `look` does.
return look()

-- Open breaks of a check to look at again, those not seen for longest first.
SELECT break_key, low, high FROM breaks
WHERE check_name = $1 AND state = 'open' ORDER BY last_seen LIMIT $2;

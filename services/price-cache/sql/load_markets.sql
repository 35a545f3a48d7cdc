-- What the cache begins with after a restart: the newest markets first.
SELECT condition_id, question, outcomes, prices, tokens, status, source,
	fetched_at
FROM markets
ORDER BY fetched_at DESC
LIMIT $1;

-- The newest price of each market; an older one never replaces a newer one,
-- whoever writes last.
INSERT INTO markets AS m (condition_id, question, outcomes, prices, tokens,
	status, source, fetched_at, changed_at)
SELECT n.condition_id, n.question,
	ARRAY(SELECT a.v FROM jsonb_array_elements_text(n.outcomes::jsonb)
		WITH ORDINALITY AS a(v, i) ORDER BY a.i),
	ARRAY(SELECT a.v FROM jsonb_array_elements_text(n.prices::jsonb)
		WITH ORDINALITY AS a(v, i) ORDER BY a.i),
	ARRAY(SELECT a.v FROM jsonb_array_elements_text(n.tokens::jsonb)
		WITH ORDINALITY AS a(v, i) ORDER BY a.i),
	n.status, n.source, n.fetched_at, n.changed_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
	$6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
	AS n(condition_id, question, outcomes, prices, tokens, status, source,
	fetched_at, changed_at)
ORDER BY n.condition_id
ON CONFLICT (condition_id) DO UPDATE SET
	question = excluded.question, outcomes = excluded.outcomes,
	prices = excluded.prices, tokens = excluded.tokens,
	status = excluded.status, source = excluded.source,
	fetched_at = excluded.fetched_at, changed_at = excluded.changed_at,
	updated_at = clock_timestamp()
WHERE m.fetched_at <= excluded.fetched_at;

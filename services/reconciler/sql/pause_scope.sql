-- What an operator refuses already stays refused. The organisation of a break
-- may be one that is not there.
SELECT pause($1, (SELECT array_agg(t ORDER BY t) FROM (
	SELECT unnest(types) AS t FROM pauses WHERE scope = $1
	UNION SELECT unnest(pause_default_types())) u), $2, $3,
	unknown_org => true);

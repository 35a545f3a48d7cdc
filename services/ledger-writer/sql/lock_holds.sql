-- As lock_reservations, for holds and their accounts.
SELECT k.i, l.hold_id, l.amount, l.state, l.captured, l.expires_at, l.version,
	l.last_at, l.stream
FROM (SELECT * FROM unnest($1::int4[], $2::text[])
		WITH ORDINALITY AS n (org_id, name, i)
	ORDER BY org_id, name COLLATE "C") k,
LATERAL (SELECT h.* FROM holds h WHERE h.org_id = k.org_id
	AND h.name = k.name FOR NO KEY UPDATE) l

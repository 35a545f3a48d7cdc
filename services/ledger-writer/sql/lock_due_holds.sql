-- As lock_due, for holds of the locked accounts.
SELECT k.i, l.hold_id, l.name, l.amount, l.state, l.captured, l.expires_at,
	l.version, l.last_at, l.stream
FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS k (org_id, account_id, i),
LATERAL (SELECT h.* FROM holds h WHERE h.org_id = k.org_id
	AND h.account_id = k.account_id AND h.state = 'held'
	AND h.expires_at <= $3 AND h.hold_id <> ALL ($5::int8[])
	ORDER BY h.expires_at, h.hold_id LIMIT $4) l
ORDER BY l.expires_at, l.hold_id
LIMIT $4

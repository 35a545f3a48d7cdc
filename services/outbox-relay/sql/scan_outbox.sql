-- Rows that snapshot $2 sees and the delivered one, $1, did not, behind
-- (seq, id) = ($3, $4). Such a row's xid is at least $1's xmin.
SELECT seq, id, created_at, aggregatetype, aggregateid, type, payload,
	traceparent
FROM outbox
WHERE (xid::text)::int8 >=
	(pg_snapshot_xmin($1::text::pg_snapshot)::text)::int8
AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
AND pg_visible_in_snapshot(xid, $2::text::pg_snapshot)
AND (seq, id) > ($3, $4)
ORDER BY seq, id LIMIT $5

-- Every row behind (seq, id) = ($1, $2) up to seq $3. Not by xid: rows that were
-- restored here have those of another system, larger than any of this one or
-- not.
SELECT seq, id, created_at, aggregatetype, aggregateid, type, payload,
	traceparent
FROM outbox
WHERE (seq, id) > ($1, $2) AND seq <= $3
ORDER BY seq, id LIMIT $4

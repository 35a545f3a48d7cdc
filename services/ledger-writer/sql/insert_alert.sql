-- $1 id, $2 what it is about, $3 type, $4 payload
INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, payload,
	created_at)
VALUES (nextval('batch_seq') * 1048576, $1, 'fleet.alerts', left($2::text, 255),
	$3, $4, clock_timestamp())

INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, payload,
	created_at, traceparent)
SELECT * FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::text[], $5::text[],
	$6::text[], $7::timestamptz[], $8::text[])

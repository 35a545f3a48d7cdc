-- Sorted by (org_id, id, day): two writers with the same ids wait for each
-- other in one order.
INSERT INTO command_log (org_id, id, day, stream, log_seq, batch, pos, source,
	src_offset, decided_at, type, status, payload_hash, record_key, command,
	result, ref, actor, traceparent, changes)
SELECT * FROM unnest($1::int4[], $2::uuid[], $3::date[], $4::int4[],
	$5::int8[], $6::int8[], $7::int4[], $8::text[], $9::int8[],
	$10::timestamptz[], $11::text[], $12::text[], $13::bytea[],
	$14::bytea[], $15::bytea[], $16::text[], $17::text[], $18::text[],
	$19::text[], $20::text[])

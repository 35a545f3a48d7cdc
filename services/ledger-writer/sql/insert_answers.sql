INSERT INTO answers (stream, log_seq, batch, pos, src_offset, decided_at,
	org_id, id_text, status, record_key, result, traceparent)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int4[],
	$5::int8[], $6::timestamptz[], $7::int4[], $8::text[], $9::text[],
	$10::bytea[], $11::text[], $12::text[])

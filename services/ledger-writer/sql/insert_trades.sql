-- A record delivered again adds no row. In one order, so that writers that
-- meet on a trade wait for each other instead of deadlocking.
INSERT INTO trades_public (trade_id, traded_at, condition_id, asset, wallet,
	side, price, size, outcome, tx_hash, source, stream, src_offset, batch)
SELECT * FROM unnest($1::bytea[], $2::timestamptz[], $3::text[], $4::text[],
	$5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
	$11::text[], $12::int4[], $13::int8[], $14::int8[]) ORDER BY 1, 2
ON CONFLICT DO NOTHING

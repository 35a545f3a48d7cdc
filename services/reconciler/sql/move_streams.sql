-- What was verified; a stream's row is made when it is first met.
INSERT INTO reconcile_streams AS r (stream, verified, again)
SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[])
ON CONFLICT (stream) DO UPDATE SET verified = greatest(r.verified,
	excluded.verified), again = greatest(r.again, excluded.again);

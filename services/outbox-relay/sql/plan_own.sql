-- One run of a plan of this schema at a time, for as long as this session lives.
SELECT pg_try_advisory_lock(hashtextextended('countinghouse replay plan '
	|| $1::int8, 'replay_plans'::regclass::oid::bigint))

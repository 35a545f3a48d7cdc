-- Gaps and doubled numbers of the ranges ($2, $3] of streams $1 (those that
-- were breaks before among them), and rows that next_log_seq does not know.
WITH wrong AS (
	SELECT k.stream, b.first, b.last, b.expected, b.found
	FROM unnest($1::int4[], $2::int8[], $3::int8[]) AS k (stream, low, high),
	consumer_partitions c,
	LATERAL log_seq_breaks(k.stream, k.low,
		least(k.high, c.next_log_seq - 1)) b
	WHERE c.stream = k.stream AND k.low < least(k.high, c.next_log_seq - 1)
	UNION
	SELECT c.stream, b.first, b.last, 0, b.n
	FROM consumer_partitions c,
	LATERAL log_seq_beyond(c.stream, c.next_log_seq) b
)
SELECT format('log_seq/%s/%s', w.stream, w.first), '',
	format('%s-%s %s..%s', c.topic, c.part, w.first, w.last),
	w.expected::text, w.found::text, (w.found - w.expected)::text,
	w.first, w.last
FROM wrong w LEFT JOIN consumer_partitions c USING (stream)
LIMIT $4;

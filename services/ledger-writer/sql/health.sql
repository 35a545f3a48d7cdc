-- What makes hot rows slow or stops the writer; figures in millionths. $1: who
-- looks, since counters are counted from each one's last look.
SELECT name, subject, round(value * 1000000)::int8,
	round(threshold * 1000000)::int8, ok, coalesce(mend, '')
FROM health($1)

-- How many letters there are of each sort, the most frequent first.
SELECT count(*), min(at), max(at),
	coalesce(sum(octet_length(value)), 0)::int8 {columns}
FROM letters WHERE {where}
GROUP BY {places} ORDER BY 1 DESC, 2 LIMIT $7

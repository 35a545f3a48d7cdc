-- How many letters there are of each sort, the most frequent first. What is shown of
-- a sort is made of its one row, not of each letter. OFFSET 0: PostgreSQL would
-- take every reason for a sort of its own, and order the letters first.
SELECT letters, oldest, newest, bytes {columns}
FROM (SELECT count(*) AS letters, min(at) AS oldest, max(at) AS newest,
		coalesce(sum(size), 0)::int8 AS bytes,
		min(reason COLLATE "C") AS a_reason {names}
	FROM (SELECT at, octet_length(value) AS size, reason {keys}
		FROM letters WHERE {where} OFFSET 0) l
	GROUP BY {places} ORDER BY 1 DESC, 2 LIMIT $7) s
ORDER BY letters DESC, oldest

-- The first pending row of each key that is due and not in hand ($2); none: the
-- key has nothing left. $4: only keys that were not refused yet, the newest
-- first: a probe that those who were do not have for themselves. $5: none that
-- begins behind so many bytes of bodies.
SELECT keyed, version, delivery_id, event_id, webhook_id, record_key,
	aggregatetype, type, body, traceparent, at, attempts, replays,
	refused_at, quota_since, coalesce(content, 0)
FROM (SELECT k.key_digest AS keyed, k.version, k.next_at, d.*,
	sum(octet_length(d.body)) OVER (ORDER BY k.next_at, k.key_digest
		ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
FROM ((SELECT key_digest, version, next_at FROM webhook_keys
	WHERE NOT $4::bool AND endpoint = $1 AND blocked_by IS NULL
	AND next_at <= now() AND key_digest <> ALL ($2::bytea[])
	ORDER BY next_at LIMIT $3)
	UNION ALL
	(SELECT key_digest, version, next_at FROM webhook_keys y
	WHERE $4::bool AND endpoint = $1 AND blocked_by IS NULL
	AND next_at <= now() AND key_digest <> ALL ($2::bytea[])
	AND (SELECT w.refused_at FROM webhook_deliveries w
		WHERE w.endpoint = $1 AND w.key_digest = y.key_digest
		AND w.done_at IS NULL ORDER BY w.delivery_id LIMIT 1) IS NULL
	ORDER BY next_at DESC LIMIT $3)) k
LEFT JOIN LATERAL (SELECT * FROM webhook_deliveries w
	WHERE w.endpoint = $1 AND w.key_digest = k.key_digest
	AND w.done_at IS NULL ORDER BY w.delivery_id LIMIT 1) d ON true) p
WHERE coalesce(before, 0) < $5::int8
ORDER BY next_at, keyed

-- The first pending row of each key that is due and not in hand ($2); none: the
-- key has nothing left. $4: only keys that were not refused yet, the newest
-- first: a probe that those who were do not have for themselves.
SELECT k.key_digest, k.version, d.delivery_id, d.event_id, d.webhook_id,
	d.record_key, d.aggregatetype, d.type, d.body, d.traceparent, d.at,
	d.attempts, d.replays, d.refused_at, d.quota_since,
	coalesce(d.content, 0)
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
	AND w.done_at IS NULL ORDER BY w.delivery_id LIMIT 1) d ON true
ORDER BY k.next_at

-- Each time this letter was sent again, the newest first.
SELECT jsonb_build_object('at', to_char(at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
	'topic', topic, 'partition', part, 'offset', log_offset,
	'replay_count', replay_count, 'actor', actor, 'reason', reason,
	'plan', plan_id)::text
FROM letter_replays WHERE letter_id = $1 ORDER BY replay_id DESC LIMIT 100

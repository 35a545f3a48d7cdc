-- What became of an id, as one document. $1 id as sent (or a letter's),
-- $2 organisation or NULL, $3 how many seconds behind the id's own time answers
-- that did not take it are looked for. LIMIT in a LATERAL: by the index, a row
-- at a time; a plain join would be hashed, over each day of the log.
WITH who AS MATERIALIZED (
	SELECT $1::text AS sent, id_of($1::text) AS u
), asked AS MATERIALIZED (
	SELECT * FROM command_status($1::text, $2::text, $3::int8 * interval '1 s')
), found AS MATERIALIZED (
	SELECT row_number() OVER (ORDER BY found_in DESC, decided_at, batch,
		pos) AS n, s.* FROM (
		SELECT * FROM asked
		UNION ALL -- the id in the spelling in which it was sent
		SELECT t.* FROM (SELECT DISTINCT result::json->>'id' AS id
			FROM asked WHERE found_in = 'command_log'
			AND result::json->>'id' <> $1::text) x,
		LATERAL command_status(x.id, $2::text,
			$3::int8 * interval '1 s') t
		WHERE t.found_in = 'answers') s
), slots AS MATERIALIZED (
	SELECT slot, streams, log_seqs, snapshot, updated_at
	FROM relay_progress ORDER BY slot
)
SELECT json_build_object(
	'id', sent, 'uuid', u, 'made_at', id_time(u), 'day', id_day(u),
	'now', now(),
	'lowest_day', (SELECT lowest_day FROM retention
		WHERE table_name = 'command_log'),
	'in_future', id_time(u) > now() + interval '300 s',
	'looked_from', coalesce(id_time(u),
		now() - $3 * interval '1 s') - interval '10 min',
	'looked_until', coalesce(id_time(u),
		now() - $3 * interval '1 s') + $3 * interval '1 s',
	'orgs', (SELECT json_agg(name ORDER BY name) FROM orgs
		WHERE $2::text IS NULL OR name = $2),
	'archives', (SELECT json_agg(json_build_object('file', file,
			'sha256', sha256) ORDER BY archive_id)
		FROM archives WHERE table_name = 'command_log' AND day = id_day(u)),
	'partitions', (SELECT json_agg(json_build_object('topic', topic,
			'part', part, 'next_offset', next_offset, 'last_at',
			CASE WHEN last_at > 'epoch' THEN last_at END)
			ORDER BY topic, part)
		FROM consumer_partitions),
	'letters', (SELECT json_agg(json_build_object('letter', r.letter_id,
			'topic', r.topic, 'part', r.part, 'offset', r.src_offset,
			'at', r.decided_at, 'class', r.error_class,
			'reason', r.reason, 'sqlstate', r.sqlstate,
			'state', coalesce(l.state, 'pending'),
			'replays', coalesce(l.replay_count, 0),
			'value', encode(r.value, 'escape')) ORDER BY r.decided_at)
		FROM (SELECT x.* FROM rejected x WHERE x.letter_id = u
			UNION SELECT y.* FROM found f, LATERAL (SELECT * FROM rejected z
				WHERE z.stream = f.stream AND z.log_seq BETWEEN
					f.log_seq - 3 AND f.log_seq + 3
				AND z.src_offset = f.src_offset LIMIT 7) y
			WHERE f.found_in = 'answers') r
		LEFT JOIN letter_states l USING (letter_id)),
	'rows', (SELECT json_agg(json_build_object(
			'found_in', f.found_in, 'org', f.org, 'id', f.id,
			'type', coalesce(f.type, f.result::json->>'type'),
			'status', f.status, 'reason', f.reason,
			'topic', f.topic, 'part', f.part, 'offset', f.src_offset,
			'stream', f.stream, 'log_seq', f.log_seq,
			'batch', f.batch, 'pos', f.pos, 'source', f.source,
			'decided_at', f.decided_at, 'actor', f.actor, 'ref', f.ref,
			'key', encode(c.record_key, 'escape'),
			'traceparent', c.traceparent,
			'command', f.command, 'result', f.result,
			'postings', f.postings, 'changes', CASE
				WHEN f.found_in = 'command_log' AND f.status = 'applied' THEN (
				SELECT json_agg(to_json(x)) FROM command_changes(
					f.result::json->>'id', f.type, f.command, f.result, c.changes) x) END,
			'delivered', f.delivered,
			'waits', CASE WHEN f.delivery ~ 'letter'
				THEN regexp_replace(f.delivery, '^slot.*; ', '') END,
			'slots', (SELECT json_agg(json_build_object('slot', g.slot,
					'done', g.done, 'delivered', g.done >= f.log_seq,
					'as_of', g.updated_at, 'delivered_after', b.later_than,
					'delivered_by', CASE WHEN g.done >= f.log_seq
					THEN coalesce(b.at_latest, g.updated_at) END)
					ORDER BY g.slot)
				FROM (SELECT s.slot, s.updated_at, coalesce(s.log_seqs[
					array_position(s.streams, f.stream)], 0) AS done
					FROM slots s) g
				LEFT JOIN LATERAL delivered_between(g.slot, f.stream,
					f.log_seq, f.decided_at) b ON g.done >= f.log_seq),
			'events', CASE WHEN f.found_in = 'command_log' THEN (
				SELECT json_agg(json_build_object('seq', e.seq,
					'id', e.id, 'aggregate', e.aggregatetype,
					'key', e.aggregateid, 'type', e.type,
					'payload', e.payload,
					'delivered', (SELECT coalesce(bool_and(s.snapshot
						IS NOT NULL AND pg_visible_in_snapshot(e.xid,
						s.snapshot)), false) FROM slots s),
					'waits', (SELECT 'letter ' || d.letter_id || ': ' ||
						d.reason FROM dead_letters d
						WHERE d.source = 'outbox'
						AND d.row_id = e.seq::text LIMIT 1))
					ORDER BY e.seq)
				FROM outbox e
				WHERE e.seq >= f.batch * 1048576
				AND e.seq < (f.batch + 1) * 1048576
				AND e.created_at = f.decided_at
				AND e.payload::json->>'command_id' =
					f.result::json->>'id') END,
			'rates', (SELECT json_agg(json_build_object('rule', r.name,
					'scope', r.scope, 'subject', w.subject,
					'most', r.most, 'window_s', r.window_us / 1000000,
					'shares', r.shares, 'counted_now', (SELECT count(*)
						FROM unnest(w.stamps) AS t (us) WHERE t.us >
						(extract(epoch FROM now()) * 1000000)::int8
							- r.window_us),
					'holds_this', (extract(epoch FROM f.decided_at)
						* 1000000)::int8 = ANY (w.stamps))
					ORDER BY r.name)
				FROM rate_rules r JOIN orgs o ON o.name = f.org
				LEFT JOIN rate_windows w ON w.rule_id = r.rule_id
					AND w.org_id = o.org_id AND w.subject = CASE r.scope
						WHEN 'actor' THEN coalesce(f.actor, '')
						ELSE (f.part % r.shares)::text END
				WHERE f.source = 'kafka'
				AND (r.org_id IS NULL OR r.org_id = o.org_id)
				AND (coalesce(f.type, f.result::json->>'type') = ANY (r.types)
					OR f.type = 'group'))
			) ORDER BY f.n)
		FROM found f
		LEFT JOIN orgs o ON o.name = f.org
		LEFT JOIN LATERAL (SELECT CASE WHEN f.found_in = 'command_log'
			THEN f.id::uuid END AS u) i ON true
		LEFT JOIN LATERAL (SELECT l.record_key, l.traceparent, l.changes
			FROM command_log l WHERE l.org_id = o.org_id AND l.id = i.u
			AND l.day = id_day(i.u) LIMIT 1) c ON true)
)::text
FROM who

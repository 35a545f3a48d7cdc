-- Deploy countinghouse:restarts to pg
-- A topic partition is begun at another offset: its topic was made anew, its
-- records were deleted unread, or Kafka is another one. By an operator's call
-- and recorded, not by an UPDATE that forgets the fence.

BEGIN;
SET LOCAL search_path = ch;

-- The owner of a partition, while the very backend that claimed it lives.
CREATE FUNCTION partition_owner(of_topic text, of_part int4)
	RETURNS TABLE (pid int4, owner text)
	LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = ch, pg_temp AS $$
	SELECT a.pid, p.owner FROM ch.consumer_partitions p
	JOIN pg_stat_activity a ON a.pid = p.backend_pid
	WHERE p.topic = of_topic AND p.part = of_part
	AND coalesce(a.backend_start = p.backend_start, true)
	$$;

-- The offsets of its log whose records were decided.
CREATE FUNCTION decided_offsets(p consumer_partitions) RETURNS int8multirange
	LANGUAGE sql IMMUTABLE SET search_path = ch, pg_temp AS $$
	SELECT (p.decided + int8multirange(int8range(p.begun_at,
			greatest(p.begun_at, p.next_offset))))
		* int8multirange(int8range(0, p.cut_at))
	$$;

-- From here on the partition is read from next_offset. Whoever owned it is
-- fenced, and the next claim takes the ids of topic and cluster that it finds;
-- log_seq goes on where it was, so the relay and the days miss nothing. Going
-- back decides nothing twice: what took its id is answered as a duplicate, what
-- was refused for now as superseded (`decided` remembers what was read of the
-- log, without what restarts skipped and without what the log lost again).
-- Refuses while the owner's backend lives, unless end_owner: then it is
-- terminated, and its writer claims anew by itself.
CREATE FUNCTION restart_partition(topic text, part int4, next_offset int8,
	actor text, reason text, dry_run boolean DEFAULT false,
	end_owner boolean DEFAULT false)
	RETURNS TABLE (figure text, before text, after text)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp
	SET lock_timeout = '5s' AS $$
#variable_conflict use_column
DECLARE
	old    ch.consumer_partitions;
	fresh  ch.consumer_partitions;
	living record;
BEGIN
	PERFORM ch.insist_who_and_why('restart_partition',
		restart_partition.actor, restart_partition.reason);
	IF restart_partition.next_offset IS NULL
		OR restart_partition.next_offset < 0 THEN
		RAISE EXCEPTION 'an offset is a number from 0 on, not %',
			restart_partition.next_offset
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF end_owner AND NOT dry_run THEN
		PERFORM ch.end_partition_owner(restart_partition.topic,
			restart_partition.part, restart_partition.actor,
			restart_partition.reason);
	END IF;
	SELECT * INTO old FROM ch.consumer_partitions p
		WHERE p.topic = restart_partition.topic
		AND p.part = restart_partition.part FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no partition %/%', restart_partition.topic,
			restart_partition.part USING ERRCODE = 'no_data_found',
			HINT = 'a writer makes the row by its first claim';
	END IF;
	PERFORM pg_stat_clear_snapshot();
	SELECT * INTO living
		FROM ch.partition_owner(restart_partition.topic, restart_partition.part);
	IF FOUND AND NOT end_owner THEN
		RAISE EXCEPTION 'its owner % lives (backend %)', living.owner,
			living.pid USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'stop the writers, or pass end_owner => true';
	ELSIF FOUND AND NOT dry_run THEN
		-- it has claimed meanwhile; the next claim waits for our lock of the
		-- row, so nothing is refused any more once a backend was ended
		PERFORM ch.end_partition_owner(restart_partition.topic,
			restart_partition.part, restart_partition.actor,
			restart_partition.reason);
	END IF;
	fresh := old;
	fresh.next_offset := restart_partition.next_offset;
	fresh.leader_epoch := -1;
	fresh.epoch := old.epoch + 1;
	fresh.owner := '';
	fresh.backend_pid := NULL;
	fresh.backend_start := NULL;
	fresh.topic_id := '';
	fresh.cluster_id := '';
	fresh.begun_at := restart_partition.next_offset;
	fresh.decided := ch.decided_offsets(old);
	fresh.decided_of := coalesce(nullif(old.topic_id, ''), old.decided_of);
	fresh.cut_at := NULL;
	IF NOT dry_run THEN
		UPDATE ch.consumer_partitions p SET next_offset = fresh.next_offset,
			leader_epoch = -1, epoch = fresh.epoch, owner = '', backend_pid = NULL,
			backend_start = NULL, topic_id = '', cluster_id = '',
			begun_at = fresh.begun_at, decided = fresh.decided,
			decided_of = fresh.decided_of, cut_at = NULL
		WHERE p.topic = old.topic AND p.part = old.part;
		INSERT INTO ch.audit_events (actor, action, subject, reason, before,
			after)
		VALUES (restart_partition.actor, 'restart_partition',
			old.topic || '/' || old.part, restart_partition.reason,
			to_jsonb(old), to_jsonb(fresh));
	END IF;
	RETURN QUERY SELECT b.key, b.value, a.value
		FROM jsonb_each_text(to_jsonb(old)) b
		JOIN jsonb_each_text(to_jsonb(fresh)) a USING (key)
		WHERE b.key IN ('next_offset', 'epoch', 'next_log_seq', 'owner',
			'topic_id', 'cluster_id', 'decided') ORDER BY b.key;
END $$;

-- Ends the backend that owns a partition, and says so; waits until it is gone.
CREATE FUNCTION end_partition_owner(of_topic text, of_part int4, who text,
	why text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = ch, pg_temp AS $$
DECLARE
	living record;
BEGIN
	FOR living IN SELECT * FROM ch.partition_owner(of_topic, of_part) LOOP
		IF NOT ch.end_backend(living.pid, who, why, to_jsonb(living)) THEN
			RAISE EXCEPTION 'backend % of owner % may not be ended', living.pid,
				living.owner USING ERRCODE = 'insufficient_privilege', HINT =
				'stop that writer; or let a superuser grant '
				'pg_signal_backend to the schema''s owner';
		END IF;
	END LOOP;
END $$;
REVOKE ALL ON FUNCTION partition_owner, restart_partition, end_partition_owner,
	decided_offsets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION restart_partition TO ch_operator;

COMMIT;

-- Rows of the ledger's tables that are put aside and may be read again (their
-- ids are theirs alone, whatever they hold: content 0). A
-- decided one may not when its day went from its table, which happens only
-- behind every relay's progress (day_conditions). A letter's id has its row's
-- time; a command's day may be the one after that, hence two days more.
SELECT d.source, d.row_id, 0
FROM dead_letters d LEFT JOIN letter_states s USING (letter_id)
LEFT JOIN retention t ON t.table_name = d.source
WHERE d.source <> 'webhook' AND (coalesce(s.state, 'pending') = 'pending'
	OR t.lowest_day IS NULL
	OR ('x' || substr(replace(d.letter_id::text, '-', ''), 1, 12))::bit(48)
		::int8 / 86400000 >= t.lowest_day - date '1970-01-03')
UNION ALL
SELECT source, row_id, 0 FROM outbox_retry

-- Transfers of batches in ($1, $2], none decided before $3, that do not sum to
-- zero; and again those of the breaks $4 (batches), whatever their time.
WITH wrong AS (
	SELECT t.* FROM transfers_unbalanced($1, $2, $3) t
	UNION ALL
	SELECT t.* FROM (SELECT DISTINCT unnest($4::int8[]) AS batch) b,
	LATERAL transfers_unbalanced(b.batch - 1, b.batch, 'epoch') t
	WHERE NOT (b.batch > $1 AND b.batch <= $2)
)
SELECT format('transfers/%s/%s/%s', org_name(org_id), command_id, asset),
	org_name(org_id), command_id::text, '0', sum(total)::text,
	sum(total)::text, min(batch), max(batch)
FROM wrong GROUP BY org_id, command_id, asset LIMIT $5;

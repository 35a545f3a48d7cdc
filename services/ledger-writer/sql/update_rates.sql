UPDATE rate_windows w SET stamps = k.stamps::int8[], last_at = $5
FROM unnest($1::int4[], $2::int4[], $3::text[], $4::text[])
	AS k (org_id, rule_id, subject, stamps)
WHERE w.org_id = k.org_id AND w.rule_id = k.rule_id AND w.subject = k.subject

-- The pause of a scope, if it refuses all that ours would.
SELECT number FROM pauses
WHERE scope = $1 AND types @> pause_default_types();

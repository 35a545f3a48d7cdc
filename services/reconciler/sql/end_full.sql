-- The new generation holds what the old one does, read anew: it takes over.
UPDATE reconcile_progress SET gen = full_gen, full_gen = NULL,
	full_done_at = clock_timestamp()
WHERE full_gen = $1 AND full_watermark = watermark RETURNING gen;

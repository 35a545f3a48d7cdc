SELECT gen, watermark, watermark_at, full_gen, full_watermark,
	extract(epoch FROM clock_timestamp() - full_done_at)::int8
FROM reconcile_progress;

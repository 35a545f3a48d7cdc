-- Does the publication exist, and does it publish the application's table
-- under that very name (and not only under those of its partitions)?
SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1::text),
	EXISTS (SELECT FROM pg_publication_tables WHERE pubname = $1::text
		AND schemaname || '.' || tablename = $2::text)

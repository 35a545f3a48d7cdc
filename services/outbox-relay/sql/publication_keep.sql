-- How the table of slot $1 is published: publication_look.sql.
INSERT INTO table_publications (slot, how)
SELECT slot, $2 FROM relay_progress WHERE slot = $1
ON CONFLICT (slot) DO UPDATE SET how = excluded.how

-- One record of a dead-letter topic, once.
SELECT stored, known, returned FROM import_letter($1, $2, $3, $4, $5, $6, $7, $8,
	$9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)

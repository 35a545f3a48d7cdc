SELECT pause_more($1, $2, $3);

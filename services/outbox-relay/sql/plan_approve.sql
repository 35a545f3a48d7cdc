SELECT approve_plan($1, $2, $3, $4)

SELECT turn_plan($1, $2, $3, $4, $5)

-- What stands against dropping a day. $1 table, $2 day
SELECT condition, value, needed, mend
FROM day_conditions($1, $2::text::date) WHERE NOT ok

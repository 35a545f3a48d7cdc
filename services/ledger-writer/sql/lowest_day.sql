-- An id of an earlier day is key_expired; its partition is never made again.
SELECT lowest_day FROM retention WHERE table_name = $1

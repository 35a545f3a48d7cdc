-- False: somebody has stopped the plan, or it is not where it was read.
SELECT begin_page($1, $2, $3)

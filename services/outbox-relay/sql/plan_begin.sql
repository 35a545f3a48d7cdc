-- False: somebody has stopped the plan, or it is not where it was read.
SELECT begin_step($1, $2, $3)

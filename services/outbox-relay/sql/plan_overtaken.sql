-- Letters that are open, older than one of the plan of the same key, and not in
-- the plan: the plan would pass them.
SELECT plan_overtakes($1)

-- After the locks and not before: the number orders all decisions that rest
-- on locked rows.
SELECT nextval('batch_seq'), clock_timestamp()

-- Until the transaction ends. A statement of its own: pauses read in the same
-- one would be those of before the wait.
LOCK TABLE pause_lock IN ROW EXCLUSIVE MODE

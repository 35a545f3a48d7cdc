-- One write a row, whatever the number of commands. place is where the lock
-- found the row: nobody can have moved it since. Where it is now comes back.
UPDATE balances b SET balance = k.balance, held = k.held,
	version = k.version, last_at = $6
FROM unnest($1::tid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])
	WITH ORDINALITY AS k (place, account_id, balance, held, version, i)
WHERE b.ctid = k.place AND b.account_id = k.account_id
RETURNING k.i, b.ctid

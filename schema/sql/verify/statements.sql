-- Verify countinghouse:statements on pg
BEGIN;
DO $$
DECLARE
	call text;
BEGIN
	FOREACH call IN ARRAY ARRAY[
		'balance_at(''no such'', ''account'', now())',
		'statement(''no such'', ''account'', ''epoch'', now())',
		'check_account(''no such'', ''account'')'] LOOP
		BEGIN
			EXECUTE 'SELECT * FROM ch.' || call;
			RAISE EXCEPTION '% knows an account that is not there', call;
		EXCEPTION WHEN no_data_found THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT * FROM ch.by_ref('no such', 'reference');
SELECT * FROM ch.command_status('01ARYZ6S41TSV4RRFFQ69G5FAV');
SELECT 1 / (before = '3')::int FROM ch.command_changes('i', 'stock.receive',
	'{"sku":"s","qty":"2"}',
	'{"stock":[{"sku":"s","on_hand":"5","reserved":"0","version":2}]}', NULL);
SELECT 1 / (before = 'placed')::int FROM ch.command_changes('i', 'order.accept',
	'{}', '{}', '[["order","o","state","placed","pending"]]');
-- the ULID specification's example, at its own time
SELECT 1 / (ch.id_time(ch.id_of('01ARYZ6S41TSV4RRFFQ69G5FAV'))
	= '2016-07-30 22:36:16.385+00')::int;
SELECT 1 / has_function_privilege(r,
	'ch.statement(text, text, timestamptz, timestamptz)', 'execute')::int
	FROM unnest(ARRAY['ch_reader', 'ch_operator', 'ch_reconciler']) AS r;
SELECT 1 / (NOT has_function_privilege('ch_reader',
	'ch.command_status(text, text, interval)', 'execute'))::int;
ROLLBACK;

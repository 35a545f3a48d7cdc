-- Verify countinghouse:trading on pg

BEGIN;
SELECT org_id, order_id, name, market, side, qty, filled, price, state, version, last_at
	FROM ch.orders WHERE false;
SELECT org_id, order_id, fill, qty, price, command_id, decided_at
	FROM ch.order_fills WHERE false;
SELECT org_id, market_id, name, asset, address, state, payer_id, payouts, reserved, paid, unpaid, holders, unpaid_holders, page, cursor, owed, stream, version, last_at
	FROM ch.ledger_markets WHERE false;
SELECT org_id, position_id, account_id, market_id, outcome, qty, lock, belief, meta, paid, version, last_at
	FROM ch.positions WHERE false;
SELECT org_id, tx, account_id, market_id, outcome, side, position, lock, skim, qty, price, state, recorded_by, recorded_at, confirmed_by, confirmed_at
	FROM ch.own_trades WHERE false;
ROLLBACK;

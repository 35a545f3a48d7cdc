-- How many numbers of each kind the batch needs, in this order.
SELECT 1::int8, nextval('account_seq') FROM generate_series(1, $1::int8)
UNION ALL
SELECT 2::int8, nextval('sku_seq') FROM generate_series(1, $2::int8)
UNION ALL
SELECT 3::int8, nextval('hold_seq') FROM generate_series(1, $3::int8)
UNION ALL
SELECT 4::int8, nextval('reservation_seq') FROM generate_series(1, $4::int8)
UNION ALL
SELECT 5::int8, nextval('order_seq') FROM generate_series(1, $5::int8)
UNION ALL
SELECT 6::int8, nextval('market_seq') FROM generate_series(1, $6::int8)
UNION ALL
SELECT 7::int8, nextval('position_seq') FROM generate_series(1, $7::int8)

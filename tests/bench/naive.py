# SPDX-License-Identifier: Apache-2.0
"""The ledger's peer: one transaction a command, as an application would write
it on the same schema with the same checks, run by pgbench. It keeps no offset
and publishes nothing; its texts are as long as ours are."""

import re

TRANSFER = r"""
\set from random(0, :accounts - 1)
\set to random(0, :accounts - 1)
\set amount random(1, 9000)
BEGIN;
INSERT INTO command_log (org_id, id, day, stream, log_seq, batch, pos, source,
  src_offset, decided_at, type, status, payload_hash, record_key, command,
  result, actor)
  VALUES (1, gen_random_uuid(), current_date, 1, nextval('batch_seq'),
  currval('batch_seq'), 0, 'kafka', 0, now(), 'transfer.post', 'applied',
  '\x@hash@', '@key@', '@command@', '@result@', 'bench')
  RETURNING id AS id, batch AS batch \gset
UPDATE balances SET balance = balance - :amount, version = version + 1,
  last_at = now()
  WHERE org_id = 1 AND account_id = (SELECT account_id FROM accounts
    WHERE org_id = 1 AND name = @from@) AND shard = 0 AND NOT closed
  AND (floor IS NULL OR balance - held - :amount >= floor)
  RETURNING account_id AS payer, balance AS payer_balance \gset
UPDATE balances SET balance = balance + :amount, version = version + 1,
  last_at = now()
  WHERE org_id = 1 AND account_id = (SELECT account_id FROM accounts
    WHERE org_id = 1 AND name = @to@) AND shard = 0 AND NOT closed
  RETURNING account_id AS payee, balance AS payee_balance \gset
INSERT INTO postings (org_id, account_id, batch, pos, leg, shard, amount,
  balance_after, command_id, decided_at) VALUES
  (1, :payer::int8, :batch::int8, 0, 0, 0, - :amount::int8,
   :payer_balance::int8, :id::uuid, now()),
  (1, :payee::int8, :batch::int8, 0, 1, 0, :amount::int8,
   :payee_balance::int8, :id::uuid, now());
COMMIT;
"""

RESERVE = r"""
\set qty random(1, 3)
BEGIN;
INSERT INTO command_log (org_id, id, day, stream, log_seq, batch, pos, source,
  src_offset, decided_at, type, status, payload_hash, record_key, command,
  result, actor)
  VALUES (1, gen_random_uuid(), current_date, 1, nextval('batch_seq'),
  currval('batch_seq'), 0, 'kafka', 0, now(), 'stock.reserve', 'applied',
  '\x@hash@', '@key@', '@command@', '@result@', 'bench')
  RETURNING id AS id, batch AS batch \gset
UPDATE stock SET reserved = reserved + :qty, version = version + 1,
  last_at = now()
  WHERE org_id = 1 AND sku_id = (SELECT sku_id FROM skus
    WHERE org_id = 1 AND name = 'hot-sku') AND reserved + :qty <= on_hand
  RETURNING sku_id AS sku \gset
INSERT INTO reservations (org_id, reservation_id, sku_id, name, qty, stream,
  last_at) VALUES (1, nextval('reservation_seq'), :sku, :id, :qty,
  1, now());
INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, payload,
  created_at) VALUES (:batch::int8 * 1048576, gen_random_uuid(), 'stock',
  'acme/hot-sku', 'stock.reserved', '@event@', now());
COMMIT;
"""

NUMBERED = "'a' || lpad({}::text, 6, '0')"
FROM_TO = {"hot": ("'hot'", NUMBERED.format(":to")),
           "pair": ("'hot'", "'peer'"),
           "uniform": (NUMBERED.format(":from"), NUMBERED.format(":to"))}


def quoted(text):
    """pgbench takes a colon with a word behind it for a variable, also
    between quotes."""
    return re.sub(r":(?=\w)", ";", text).replace("'", "''")


def filled(script, texts):
    for name, text in texts.items():
        script = script.replace(f"@{name}@", text)
    return script


def scripts(case, sample, folder):
    """pgbench's -f arguments. sample(type) gives the texts of a command of
    ours: key, command, result, event."""
    payer, payee = FROM_TO[case]
    made = [("transfer.post", TRANSFER)]
    if case == "hot":
        made.append(("stock.reserve", RESERVE))
    args = []
    for name, script in made:
        texts = {k: quoted(v) for k, v in sample(name).items()}
        texts.update({"from": payer, "to": payee, "hash": "5a" * 32})
        path = folder / f"{case}.{name}.pgbench"
        path.write_text(filled(script, texts))
        args += ["-f", str(path)]
    return args

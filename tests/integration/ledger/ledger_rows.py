"""Every row of the ledger's tables under the names and members of the serial
model (serial_dump() in tests/property/serial_model.h)."""

US = "(extract(epoch FROM {}) * 1000000)::int8"

# (name and values, members); NULL members are left out
TABLES = (
    ("""SELECT 'd/' || o.name || '/' || a.name, a.scale
        FROM assets a JOIN orgs o USING (org_id)""", ("scale",)),
    (f"""SELECT 'a/' || o.name || '/' || a.name ||
            CASE WHEN a.shards > 0 THEN '/' || b.shard ELSE '' END,
            a.asset, b.balance, b.held, b.floor, nullif(b.closed, false),
            b.version, {US.format("b.last_at")}
        FROM balances b JOIN accounts a USING (org_id, account_id)
        JOIN orgs o USING (org_id)""",
     ("asset", "balance", "held", "floor", "closed", "version", "last_at")),
    (f"""SELECT 's/' || o.name || '/' || k.name, s.on_hand, s.reserved,
            s.version, {US.format("s.last_at")}
        FROM stock s JOIN skus k USING (org_id, sku_id)
        JOIN orgs o USING (org_id)""",
     ("on_hand", "reserved", "version", "last_at")),
    (f"""SELECT 'h/' || o.name || '/' || h.name, a.name, h.amount,
            h.state, h.captured, {US.format("h.expires_at")}, h.version,
            {US.format("h.last_at")}
        FROM holds h JOIN accounts a USING (org_id, account_id)
        JOIN orgs o USING (org_id)""",
     ("account", "amount", "state", "captured", "expires_at", "version",
      "last_at")),
    (f"""SELECT 'r/' || o.name || '/' || r.name, k.name, r.state, r.qty,
            r.committed_qty, {US.format("r.expires_at")}, r.version,
            {US.format("r.last_at")}
        FROM reservations r JOIN skus k USING (org_id, sku_id)
        JOIN orgs o USING (org_id)""",
     ("sku", "state", "qty", "committed", "expires_at", "version",
      "last_at")),
    (f"""SELECT 'o/' || o.name || '/' || r.name, r.market, r.side, r.qty,
            r.filled, r.price, r.state, r.version, {US.format("r.last_at")}
        FROM orders r JOIN orgs o USING (org_id)""",
     ("market", "side", "qty", "filled", "price", "state", "version",
      "last_at")),
    ("""SELECT 'f/' || o.name || '/' || r.name || '/' || f.fill, f.qty,
            f.price
        FROM order_fills f JOIN orders r USING (org_id, order_id)
        JOIN orgs o USING (org_id)""", ("qty", "price")),
    (f"""SELECT 'm/' || o.name || '/' || m.name, m.asset, m.address,
            m.state, (SELECT a.name FROM accounts a WHERE a.org_id = m.org_id
                AND a.account_id = m.payer_id), m.reserved, m.paid, m.unpaid,
            m.holders, m.unpaid_holders, m.version, {US.format("m.last_at")}
        FROM ledger_markets m JOIN orgs o USING (org_id)""",
     ("asset", "address", "state", "payer", "reserved", "paid", "unpaid",
      "holders", "unpaid_holders", "version", "last_at")),
    (f"""SELECT 'p/' || o.name || '/' || a.name || '/' || m.name || '/'
            || p.outcome, p.qty, p.lock, p.belief, p.meta, p.paid, p.version,
            {US.format("p.last_at")}
        FROM positions p JOIN accounts a USING (org_id, account_id)
        JOIN ledger_markets m USING (org_id, market_id)
        JOIN orgs o USING (org_id)""",
     ("qty", "lock", "belief", "meta", "paid", "version", "last_at")),
    ("""SELECT 't/' || o.name || '/' || t.tx, a.name, m.name, t.outcome,
            t.side, t.position, t.lock, t.skim, t.qty, t.price, t.state
        FROM own_trades t JOIN accounts a USING (org_id, account_id)
        JOIN ledger_markets m USING (org_id, market_id)
        JOIN orgs o USING (org_id)""",
     ("account", "market", "outcome", "side", "position", "lock", "skim",
      "qty", "price", "state")),
    ("""SELECT 'v/' || o.name || '/' || replace(v.transfer_id::text, '-',
            '') || '/' || v.member, replace(v.reversed_by::text, '-', '')
        FROM reversals v JOIN orgs o USING (org_id)""", ("by",)),
)
WINDOWS = """SELECT 'w/' || o.name || '/' || r.name || '/' || w.subject,
    ARRAY(SELECT s FROM unnest(w.stamps) AS s WHERE s > %s - r.window_us)
    FROM rate_windows w JOIN orgs o USING (org_id)
    JOIN rate_rules r USING (rule_id)"""


def every(ledger, last_at):
    """{row: members}. last_at: the last decision, in microseconds; stamps of
    rates count until they have left the window that ends there."""
    rows = {}
    for text, members in TABLES:
        for name, *values in ledger.rows(text):
            rows[name] = {m: v for m, v in zip(members, values)
                          if v is not None}
    for name, stamps in ledger.rows(WINDOWS, last_at):
        if stamps:
            rows[name] = {"stamps": stamps}
    return rows

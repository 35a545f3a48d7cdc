"""What tests of markets and their settlement share."""

from ledger_kit import command, v7


def applied(ledger, *cmds):
    ledger.send(*cmds)
    for cmd in cmds:
        answer = ledger.answer(cmd)
        assert answer["status"] == "applied", answer


def trade(account, market, position="1", lock="0", tx=None, **fields):
    return command("trade.record", account=account, market=market,
                   outcome="yes", side="BUY", tx=tx or v7(),
                   position=position, lock=lock, **fields)


def market(ledger, name="m"):
    return ledger.rows("SELECT state, reserved, paid, unpaid, holders, "
                       "unpaid_holders, page FROM ledger_markets "
                       "WHERE name = %s", name)[0]


def groups(make, names):
    """Commands of groups with one member for each name."""
    return [command("group", commands=[
        {k: v for k, v in make(n).items() if k not in ("id", "org")}
        for n in names[at:at + 60]]) for at in range(0, len(names), 60)]

"""The dead letters over HTTP: each resource, and who is refused."""

import json
import subprocess
import uuid

from harness.cell import OUT, ROOT
from harness.dlq_api import TOKENS, token_file
from harness.kafka import header
from harness.ports import free_port
from harness.relay_rows import refused_letter, waits_for
from harness.wait import until


def ids(doc):
    return [x["letter_id"] for x in doc["letters"]]


def audits(cell, *actions):
    return cell.sql("SELECT action, actor, subject, reason FROM audit_events "
                    "WHERE action = ANY(%s) ORDER BY event_id",
                    (list(actions),))


def states(cell):
    return dict(cell.sql("SELECT letter_id::text, state FROM letters"))


# ---- reading

def test_lists_pages_groups_and_exports(relay_cell, api):
    cell, asked = relay_cell, api()
    cell.stream(0)
    cell.db.autocommit = False  # one transaction: all of the same time
    letters = [cell.rejected(key=b"k%d" % (n % 2), value=b"v%d" % n,
                             reason=f'member "m{n}" is odd')
               for n in range(5)]
    cell.db.commit()
    cell.db.autocommit = True
    odd = cell.rejected(key=None, value=b"\xff\x00", reason="<b>no</b> JSON",
                        headers=[(b"tenant", b"x"), (b"h", b"\xff")])

    doc = asked.get("letters")
    assert doc["fitting"] == 6 and "next" not in doc
    order = ids(doc)
    assert set(order) == {*letters, odd} and order[-1] == odd
    assert "value" not in doc["letters"][0]
    assert doc["letters"][0]["bytes"] == 2

    paged, cursor = [], {}
    while True:
        page = asked.get("letters", limit=2, **cursor)
        paged += ids(page)
        if "next" not in page:
            break
        cursor = {"cursor": page["next"]}
    assert paged == order

    where = "key = 'k1' and reason ~ 'odd'"
    assert len(ids(asked.get("letters", where=where))) == 2
    assert ids(asked.get("letters", where="header.tenant = 'x'")) == [odd]
    assert ids(asked.get("letters", state="discarded")) == []
    groups = asked.get("groups", by="class,fingerprint")["groups"]
    assert [(g["letters"], g["message"]) for g in groups] == [
        (5, 'member "" is odd'), (1, "<b>no</b> JSON")]
    assert all(g["oldest"] <= g["newest"] for g in groups)

    # as the command line's, byte for byte, in pages too
    whole = [json.loads(x) for x in cell.dlq("export").splitlines()]
    lines, cursor = [], {}
    while True:
        query = "&".join(f"{k}={v}" for k, v in cursor.items())
        status, text = asked.ask("GET", "/api/v1/export?limit=4&" + query,
                                 raw=True)
        assert status == 200
        lines += [json.loads(x) for x in text.splitlines()]
        if asked.headers["x-next-cursor"] is None:
            break
        cursor = {"cursor": asked.headers["x-next-cursor"]}
    assert lines == whole
    assert asked.headers["content-type"] == "application/x-ndjson"

    detail = asked.get("letters/" + odd)
    assert detail["value_hex"] == "ff00" and detail["key"] is None
    assert detail["headers"] == [{"name": "tenant", "value": "x"},
                                 {"name": "h", "value_hex": "ff"}]
    assert (detail["history"], detail["sendings"]) == ([], [])
    assert detail["reason"] == "<b>no</b> JSON"
    assert asked.headers["x-content-type-options"] == "nosniff"
    assert asked.headers["content-type"] == "application/json"


def test_a_large_value_is_cut_in_the_detail_and_whole_in_the_export(
        relay_cell, api):
    cell, asked = relay_cell, api()
    value = "ä".encode() * 200000
    letters = [cell.rejected(value=b"x" + value) for _ in range(12)]
    detail = asked.get("letters/" + letters[0])
    assert detail["value_cut"] and detail["bytes"] == 400001
    assert len(detail["value"].encode()) in (262143, 262144)
    assert set(detail["value"][1:]) == {"ä"}
    got, cursor, pages = [], "", 0
    while cursor is not None:
        status, text = asked.ask("GET", "/api/v1/export?limit=1000" + cursor,
                                 raw=True)
        assert status == 200 and len(text.encode()) < 6000000
        got += [json.loads(x) for x in text.splitlines()]
        following = asked.headers["x-next-cursor"]
        cursor = following and "&cursor=" + following
        pages += 1
    assert [x["letter_id"] for x in got] == letters and pages > 1
    assert all(x["value"].encode() == b"x" + value for x in got)


def test_a_connection_that_was_ended_is_made_again(relay_cell, api):
    cell, asked = relay_cell, api()
    letter = cell.rejected()
    for _ in range(2):
        assert ids(asked.get("letters")) == [letter]
        with cell.cell.connect("superuser", cell.database) as db:
            db.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'outbox-relay api'")
    assert ids(asked.get("letters")) == [letter]


# ---- who is refused

def refusal(asked, *args, **named):
    status, doc = asked.ask(*args, **named)
    return status, doc["error"]


def test_who_and_where_from(relay_cell, api):
    cell, asked = relay_cell, api()
    letter = cell.rejected()
    change = {"ids": [letter], "reason": "r"}
    path = "/api/v1/letters/discard"
    for who in (None, "nobody-0123456789-0123456789"):
        status, error = refusal(asked, "POST", path, change, who=who)
        assert (status, error["code"]) == (401, "no_token")
        assert "Bearer" in error["message"] and error["next"]
    status, error = refusal(asked, "GET", "/api/v1/letters",
                            headers={"Host": "evil.example"})
    assert status == 403 and "api_hosts" in error["message"]
    for origin in ("http://evil.example", "null"):
        status, error = refusal(asked, "POST", path, change, who="ann",
                                headers={"Origin": origin})
        assert status == 403 and "other hosts" in error["message"]
    status, _ = asked.ask("GET", "/", raw=True,
                          headers={"Host": "evil.example"})
    assert status == 403
    assert states(cell) == {letter: "pending"}
    # its own page may
    assert asked.ask("POST", path, change, who="ann",
                     headers={"Origin": asked.url})[0] == 200
    for token in TOKENS.values():
        assert token not in asked.daemon.logged()


def test_what_is_refused_says_what_was_expected(relay_cell, api):
    cell, asked = relay_cell, api()
    letter = cell.rejected()

    def said(status, method, path, body=None):
        got, error = refusal(asked, method, "/api/v1/" + path, body,
                             who="ann")
        assert got == status, error
        assert error["code"] and error["next"]
        return error["message"]
    error = asked.get("letters", status=400,
                      where="age > 2h and clas = 1")["error"]
    assert error["byte"] == 14
    assert "found `clas`, expected a field" in error["message"]
    long = "key = '" + "k" * 4080 + "'"
    assert asked.get("letters", where=long)["fitting"] == 0
    assert "at most 4096" in asked.get("letters", status=400, where=long + " "
                                       * 20)["error"]["message"]
    assert "regular" in said(400, "GET", "letters?where=topic~'('")
    assert "from 1 to 200" in said(400, "GET", "letters?limit=9999")
    assert "what `next` said" in said(400, "GET", "letters?cursor=1")
    assert "quarantined" in said(400, "GET", "letters?state=odd")
    assert "fingerprint" in said(400, "GET", "groups?by=colour")
    assert "no such resource" in said(404, "GET", "nothing")
    assert "a UUID" in said(400, "GET", "letters/12")
    assert "no letter" in said(404, "GET", f"letters/{uuid.uuid4()}")
    assert "no plan 7" in said(404, "GET", "plans/7")

    discard = "letters/discard"
    wrong = said(400, "POST", discard,
                 {"ids": [letter], "reason": "r", "dryrun": True})
    assert 'found "dryrun"' in wrong and "dry_run" in wrong
    assert "true or false" in said(
        400, "POST", discard, {"ids": [letter], "dry_run": "yes"})
    assert "say why" in said(400, "POST", discard, {"ids": [letter]})
    assert "say why" in said(400, "POST", discard,
                             {"ids": [letter], "reason": ""})
    assert "at most 1000" in said(400, "POST", discard,
                                  {"ids": [letter], "reason": "r" * 1001})
    assert "name the letters" in said(400, "POST", discard, {"reason": "r"})
    assert "1 to 50" in said(400, "POST", discard, {
        "ids": [str(uuid.uuid4()) for _ in range(51)], "reason": "r"})
    assert "UUIDs" in said(400, "POST", discard, {"ids": [1], "reason": "r"})
    assert "a JSON object" in said(400, "POST", discard, b"{")
    assert "a JSON object" in said(400, "POST", discard, [1])
    assert "which letters" in said(400, "POST", "plans", {"reason": "r"})
    assert "no letter fits" in said(
        404, "POST", "plans", {"reason": "r", "where": "class = 'none'"})
    assert '"per_second" is a number' in said(400, "POST", "plans", {
        "reason": "r", "where": "age > 0s", "per_second": 0})
    assert "hexadecimal" in said(400, "POST", f"letters/{letter}/edit",
                                 {"value_hex": "0g", "reason": "r"})
    assert asked.status_of_length(discard, 2500000) == 413
    assert asked.ask("DELETE", "/api/v1/letters", raw=True)[0] in (404, 405)
    assert states(cell) == {letter: "pending"} and audits(cell) == []


def test_a_command_too_old_for_its_id_gets_another(relay_cell, api):
    cell, asked = relay_cell, api()
    cell.sql("UPDATE retention SET lowest_day = '2026-01-01' "
             "WHERE table_name = 'command_log'")
    value = '{"org": "acme", "id": "0174876e-8000-7000-8000-000000000001"}'
    letter = cell.rejected(value=value.encode())
    edit = f"letters/{letter}/edit"
    refused = asked.post(edit, {"new_id": True, "value": "x", "reason": "r"},
                         status=400)
    assert "instead of a value" in refused["error"]["message"]
    dry = asked.post(edit, {"new_id": True, "dry_run": True})
    assert dry["dry_run"] is True and dry["original"] == letter
    made = asked.post(edit, {"new_id": True, "reason": "nobody sent it again"})
    found = asked.get("letters/" + made["letter_id"])
    fresh = json.loads(found["value"])
    assert fresh["org"] == "acme" and fresh["id"] > "0190"
    assert states(cell)[letter] == "edited"
    again = asked.post(edit, {"new_id": True, "reason": "r"}, status=409)
    assert again["error"]["code"] == "refused"


def test_without_tokens_it_only_reads(relay_cell, api):
    cell, asked = relay_cell, api(tokens=False)
    letter = cell.rejected()
    assert asked.get("status")["read_only"] is True
    assert ids(asked.get("letters")) == [letter]
    status, error = refusal(asked, "POST", "/api/v1/letters/discard",
                            {"ids": [letter], "reason": "r"}, who="ann")
    assert status == 403 and "api_token_file" in error["message"]


def test_reading_may_need_a_token(relay_cell, api):
    asked = api(api_read_token="true")
    assert asked.ask("GET", "/api/v1/letters")[0] == 401
    assert asked.get("letters", who="bob")["letters"] == []
    assert asked.get("status", who="bob")["actor"] == "bob"
    assert asked.ask("GET", "/", raw=True)[0] == 200  # the page says nothing


def test_a_token_may_be_given_reading_alone(relay_cell, api):
    cell, asked = relay_cell, api(api_read_token="true")
    letter = cell.rejected()
    status = asked.get("status", who="wall")
    assert (status["actor"], status["may_change"]) == ("wall", False)
    assert asked.get("status", who="ann")["may_change"] is True
    assert ids(asked.get("letters", who="wall")) == [letter]
    for path, body in (("letters/discard", {"ids": [letter], "reason": "r"}),
                       ("letters/discard", {"ids": [letter], "dry_run": True}),
                       ("plans", {"ids": [letter], "reason": "r"}),
                       ("plans/1/approve", {"reason": "r"}),
                       ("plans/1/run", {}), ("plans/1/stop", {"reason": "r"}),
                       (f"letters/{letter}/edit", {"value": "x"})):
        error = asked.post(path, body, status=403, who="wall")["error"]
        assert "only reads" in error["message"]
    assert states(cell) == {letter: "pending"} and audits(cell) == []


def test_configurations_that_are_refused(relay_cell, tmp_path):
    url = relay_cell.cell.url("operator", relay_cell.database)

    def said(**flags):
        run = subprocess.run(
            [str(OUT / "bin" / "outbox-relay"), "--check-config",
             *(f"--{k}={v}" for k, v in relay_cell.flags(
                 api_database_url=url, **flags).items())],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60)
        assert (run.returncode == 0) == ("api_" not in run.stdout), run.stdout
        return run.stdout
    tokens = token_file(tmp_path)
    here = {"api_listen": "127.0.0.1:9604"}
    assert said(**here, api_token_file=tokens) == said(**here)
    assert "api_read_token = true" in said(api_listen=":9604")
    assert "set api_token_file" in said(**here, api_read_token="true")
    assert said(api_listen=":9604", api_read_token="true",
                api_token_file=tokens) == said(**here)
    # a proxy reaches the loopback for everybody
    proxied = {**here, "api_hosts": "dlq.example", "api_token_file": tokens}
    assert "set api_read_token = true" in said(**proxied)
    assert said(**proxied, api_read_token="true") == said(**here)
    assert "api_listen" in said(api_listen="here")
    tokens.chmod(0o640)
    assert "chmod 600" in said(**here, api_token_file=tokens)
    tokens.chmod(0o600)
    tokens.write_text("ann:short\n")
    wrong = said(**here, api_token_file=tokens)
    assert "line 1" in wrong and "short" not in wrong
    url = ""
    assert "api_database_url" in said(**here)


# ---- changing

def test_discard_and_replay_by_name(relay_cell, api):
    cell, asked = relay_cell, api()
    first, second, third = (cell.rejected(part=1, key=b"k", value=b"v%d" % n)
                            for n in range(3))
    dry = asked.post("letters/discard", {"ids": [first], "dry_run": True})
    assert (dry["done"], dry["dry_run"]) == (1, True)
    assert states(cell)[first] == "pending" and audits(cell) == []
    done = asked.post("letters/discard", {"ids": [first], "reason": "test"})
    assert [(r["letter_id"], r["outcome"]) for r in done["results"]] == [
        (first, "done")]
    again = asked.post("letters/discard",
                       {"ids": [first, second, str(uuid.uuid4())],
                        "reason": "again"}, status=409)
    assert (again["done"], again["refused"], again["missing"]) == (1, 1, 1)
    assert "it is discarded" in again["results"][0]["detail"]
    assert audits(cell, "dlq.discard") == [
        ("dlq.discard", "ann", first, "test"),
        ("dlq.discard", "ann", second, "again")]

    asked.post("letters/replay", {"ids": [third], "dry_run": True})
    assert cell.records(cell.commands) == []
    asked.post("letters/replay", {"ids": [third], "reason": "go"}, who="bob")
    [sent] = cell.records(cell.commands)
    assert (sent["payload"], sent["key"], sent["partition"]) == ("v2", "k", 1)
    assert header(sent, "ch_letter_id") == third
    assert states(cell)[third] == "replayed"
    detail = asked.get("letters/" + third)
    [sending] = detail["sendings"]
    assert (sending["topic"], sending["actor"], sending["plan"]) == (
        cell.commands, "bob", None)
    assert [h["action"] for h in detail["history"]] == ["dlq.replay"]
    assert detail["decided_by"] == "bob"
    events = asked.get("audit", limit=3)
    assert [(e["action"], e["actor"]) for e in events["events"]] == [
        ("dlq.replayed", "bob"), ("dlq.replay", "bob"),
        ("dlq.discarded", "ann")]
    rest = asked.get("audit", cursor=events["next"])
    assert [e["subject"] for e in rest["events"]] == [
        second, "1 letters", first]


def test_an_answer_that_has_no_room_is_refused(relay_cell, api):
    """In hex its header has more than the 64 MiB that may be under way."""
    cell, asked = relay_cell, api()
    letter = cell.rejected(headers=[(b"large", b"\xff" * (34 << 20))])
    status, error = refusal(asked, "GET", f"/api/v1/letters/{letter}")
    assert (status, error["code"]) == (503, "too_large")
    assert "too large" in error["message"] and error["next"]


def test_a_refused_replay_sends_nothing(relay_cell, api):
    cell, asked = relay_cell, api()
    letter = cell.rejected()
    cell.sql("UPDATE rejected SET topic = %s", (cell.commands + "-none",))
    failed = asked.post("letters/replay", {"ids": [letter], "reason": "r"},
                        status=502)
    assert failed["failed"] and "does not exist" in (
        failed["results"][0]["detail"])
    assert states(cell) == {letter: "pending"}


def test_edits(relay_cell, api):
    cell, asked = relay_cell, api()
    letter = cell.rejected(value=b'{"n":"x"}')
    path = f"letters/{letter}/edit"
    dry = asked.post(path, {"value": '{"n":12}', "dry_run": True})
    assert dry["difference"] == {"at": 5, "removed": b'"x"'.hex(),
                                 "inserted": b"12".hex()}
    assert states(cell) == {letter: "pending"}
    made = asked.post(path, {"value_hex": b'{"n":12}\x00'.hex(),
                             "reason": "a number"})["letter_id"]
    assert states(cell) == {letter: "edited", made: "pending"}
    assert asked.get("letters/" + made)["value_hex"] == b'{"n":12}\x00'.hex()
    assert asked.get("letters/" + made)["original"] == letter
    refused = asked.post(path, {"value": "y", "reason": "r"}, status=409)
    assert "edited" in refused["error"]["message"]
    asked.post(f"letters/{made}/edit", {"value_hex": "", "reason": "empty"})


# ---- blocked keys

def test_blocked_keys_are_listed_whatever_their_bytes(relay_cell, api):
    cell, asked = relay_cell, api()
    assert asked.get("keys") == {"keys": [], "fitting": 0}
    for n, key in enumerate((b"\xff\x00", b"k\xc3\xb6", b"last")):
        cell.sql("INSERT INTO dead_letters (letter_id, source, row_id, topic, "
                 "record_key, error_class, reason, attempts, blocks_key) "
                 "VALUES (gen_random_uuid(), 'outbox', %s, %s, %s, "
                 "'INVALID_RECORD', 'no', 2, true)", (f"r{n}", cell.stock, key))
    doc = asked.get("keys", limit=2)
    assert doc["fitting"] == 3
    assert [(k.get("key"), k.get("key_hex")) for k in doc["keys"]] == [
        (None, "ff00"), ("kö", None)]
    first = doc["keys"][0]["letter_id"]
    asked.post(f"letters/{first}/edit", {"value": "v", "reason": "mended"})
    assert [k["state"] for k in asked.get("keys")["keys"]] == [
        "edited", "pending", "pending"]


# ---- plans

def rows_read(plan, table):
    """How many rows of the table an EXPLAIN ANALYZE has touched."""
    own = 0
    if plan.get("Relation Name") == table:
        own = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get(
            "Rows Removed by Filter", 0) + plan.get(
            "Rows Removed by Index Recheck", 0))
    return own + sum(rows_read(p, table) for p in plan.get("Plans", []))


def test_decided_letters_are_not_read_for_the_blocked_keys(relay_cell):
    cell = relay_cell
    parked = ("INSERT INTO dead_letters (letter_id, source, row_id, topic, "
              "record_key, error_class, reason, attempts, blocks_key) SELECT "
              "gen_random_uuid(), 'outbox', 'r' || i, 't', '\\x01', 'c', 'r', "
              "1, true FROM generate_series(1, %s) i")
    cell.sql(parked, (3000,))
    cell.sql("INSERT INTO letter_states (letter_id, state) "
             "SELECT letter_id, 'resolved' FROM dead_letters")
    cell.sql(parked, (3,))
    cell.sql("INSERT INTO outbox_retry (blocked_by, source, row_id, topic) "
             "SELECT letter_id, 'outbox', 'later', 't' FROM dead_letters "
             "WHERE NOT is_open LIMIT 1")
    cell.sql("VACUUM ANALYZE dead_letters, letter_states, outbox_retry")
    assert cell.sql("SELECT waiting, count(*) FROM blocked_keys GROUP BY 1 "
                    "ORDER BY 1") == [(0, 3), (1, 1)]
    [([shown],)] = cell.sql("EXPLAIN (ANALYZE, FORMAT JSON) "
                            "SELECT * FROM blocked_keys")
    assert rows_read(shown["Plan"], "dead_letters") < 100


def plan_state(asked, plan, state):
    return until(lambda: (p := asked.get(f"plans/{plan}"))["state"] == state
                 and not p["runs_here"] and p, 120, f"plan is {state}")


def test_what_waits_for_nobody_is_buried(relay_cell, api):
    cell, asked = relay_cell, api()
    waits_for(cell, "gone", 10003)
    waits_for(cell, "held", 1)
    leads = until(lambda: cell.sql("SELECT slot FROM relay_progress"), 60,
                  "it leads")
    doc = until(lambda: (d := asked.get("endpoints"))["endpoints"][0][
        "whose"] == "nobody" and d, 60, "nobody has it")
    assert [(e["endpoint"], e["waiting"]) for e in doc["endpoints"]] == [
        ("gone", 10003), ("held", 1)] and doc["more"] is False and leads
    assert asked.get("endpoints", limit=1)["more"] is True

    bury = {"endpoint": "webhook:gone", "reason": "the partner left"}
    for wrong, status, said in (
            ({"endpoint": "gone"}, 400, '"reason" is missing'),
            ({"reason": "r"}, 400, '"endpoint" is missing'),
            ({"endpoint": "none", "reason": "r"}, 404, "nothing waits for")):
        assert said in asked.post("endpoints/bury", wrong,
                                  status=status)["error"]["message"]
    asked.post("endpoints/bury", bury, status=403, who="wall")
    assert asked.post("endpoints/bury", {**bury, "dry_run": True}) == {
        "endpoint": "gone", "dry_run": True, "letters": 10003, "more": False}
    assert cell.sql("SELECT count(*) FROM audit_events") == [(0,)]
    with cell.cell.connect("owner", cell.database) as con, con.cursor() as cur:
        cur.execute("SELECT pg_advisory_xact_lock(hashtextextended("
                    "'countinghouse webhook gone', "
                    "'ch.webhook_deliveries'::regclass::oid::bigint))")
        said = asked.post("endpoints/bury", bury, status=409)["error"]
        assert "a running relay has endpoint gone" in said["message"]
    con.close()
    first, last = (asked.post("endpoints/bury", bury) for _ in range(2))
    assert (first["letters"], first["more"]) == (10000, True)
    assert (last["letters"], last["more"]) == (3, False)
    assert asked.get("letters", where="topic = 'webhook:gone' and class = "
                     "'no_endpoint'", limit=1)["fitting"] == 10003
    assert audits(cell, "dlq.bury") == [
        ("dlq.bury", "ann", "endpoint gone", "the partner left")] * 2


def test_dry_runs_say_whether_the_targets_are_there(relay_cell, api):
    cell, asked = relay_cell, api()
    gone = cell.prefix + "gone"
    letters = [refused_letter(cell, gone),
               refused_letter(cell, cell.stock, key=b"l")]
    wish = {"ids": letters, "reason": "mended"}
    dry = asked.post("plans", {**wish, "dry_run": True})
    assert {t["topic"]: (t["lacks"], t["there"].split(",")[0])
            for t in dry["targets"]} == {
        gone: (True, "this topic does not exist: create it first"),
        cell.stock: (False, "it exists")}
    assert "unlooked" not in dry
    # it may be there when the plan is run: it can be made
    made = asked.post("plans", wish, status=201)
    assert all("there" not in t for t in made["targets"])

    dry = asked.post("letters/replay", {"ids": letters, "dry_run": True},
                     status=409)
    assert [(r["letter_id"], r["outcome"]) for r in dry["results"]] == [
        (letters[0], "refused"), (letters[1], "done")]
    assert dry["results"][0]["detail"] == (
        f"to {gone}: this topic does not exist: create it first")


def test_dry_runs_say_what_was_not_looked_for(relay_cell, api):
    cell = relay_cell
    asked = api(bootstrap=f"127.0.0.1:{free_port()}")
    letters = [refused_letter(cell, cell.stock)]
    dry = asked.post("plans", {"ids": letters, "reason": "r",
                               "dry_run": True})
    assert [(t["lacks"], t["there"]) for t in dry["targets"]] == [(False, "")]
    assert "unlooked" in dry
    dry = asked.post("letters/replay", {"ids": letters, "dry_run": True})
    assert dry["done"] == 1 and "unlooked" in dry


def test_a_plan_from_dry_run_to_done(relay_cell, api):
    cell, asked = relay_cell, api()
    letters = [cell.rejected(part=n % 2, key=b"k%d" % n, value=b"v%d" % n)
               for n in range(6)]
    wish = {"where": "partition = 1", "reason": "mended"}
    dry = asked.post("plans", {**wish, "dry_run": True})
    assert [(t["topic"], t["partition"], t["letters"], t["keys"])
            for t in dry["targets"]] == [(cell.commands, 1, 3, 3)]
    assert [x["letter_id"] for x in dry["sample"]] == letters[1::2]
    assert (dry["plan"], dry["history"]) == (None, [])
    assert asked.get("plans")["plans"] == [] and audits(cell) == []

    made = asked.post("plans", wish, status=201)
    plan = made["plan"]
    assert (made["state"], made["letters"]) == ("planned", 3)
    early = asked.post(f"plans/{plan}/run", {}, status=409)
    assert "approved first" in early["error"]["message"]
    asked.post(f"plans/{plan}/approve", {"dry_run": True})
    assert asked.get(f"plans/{plan}")["state"] == "planned"
    asked.post(f"plans/{plan}/approve", {"reason": "ok"}, who="bob")
    assert asked.post(f"plans/{plan}/run", {"dry_run": True})["letters"] == 3
    assert cell.records(cell.commands) == []
    asked.post(f"plans/{plan}/run", {}, status=202, who="bob")
    done = plan_state(asked, plan, "done")
    assert (done["sent"], done["targets"], done["sample"]) == (3, [], [])
    assert [header(r, "ch_letter_id") for r in cell.records(cell.commands)
            ] == letters[1::2]
    assert [(a, w) for a, w, s, _ in audits(
        cell, "dlq.plan", "dlq.approve", "dlq.run", "dlq.done")] == [
            ("dlq.plan", "ann"), ("dlq.approve", "bob"), ("dlq.run", "bob"),
            ("dlq.done", "bob")]
    assert {e["action"] for e in asked.get(
        "audit", subject=f"plan {plan}")["events"]} == {
            "dlq.plan", "dlq.approve", "dlq.run", "dlq.done"}
    asked.post(f"plans/{plan}/run", {}, status=409)
    named = asked.post("plans", {"ids": [letters[0]], "reason": "one",
                                 "canary": 1, "per_second": 9}, status=201)
    assert (named["letters"], named["canary"], named["per_second"]) == (1, 1, 9)
    asked.post(f"plans/{named['plan']}/cancel", {"reason": "no"})
    assert asked.get(f"plans/{named['plan']}")["state"] == "cancelled"


def test_a_plan_says_which_of_the_named_are_not_in_it(relay_cell, api):
    cell, asked = relay_cell, api()
    letter = cell.rejected()
    wish = {"ids": [letter, letter, str(uuid.uuid4())], "reason": "r"}
    assert asked.post("plans", {**wish, "dry_run": True})["missing"] == 1
    made = asked.post("plans", wish, status=201)
    assert (made["letters"], made["missing"]) == (1, 1)
    assert asked.get(f"plans/{made['plan']}")["missing"] == 1
    assert asked.post("letters/discard", {"ids": [letter, letter],
                                          "reason": "r"})["missing"] == 0


def test_what_a_plan_did_not_send_is_named_with_why(relay_cell, api):
    cell, asked = relay_cell, api()
    looped = cell.rejected(key=b"a", headers=[(b"ch_replay_count", b"5")])
    behind = cell.rejected(key=b"a")
    free = cell.rejected(key=b"b", part=1)
    plan = asked.post("plans", {"where": "attempts >= 0", "reason": "r"},
                      status=201)["plan"]
    path = f"plans/{plan}/letters"
    order = [looped, behind, free]
    waiting = asked.get(path)["letters"]
    assert sorted(x["letter_id"] for x in waiting) == sorted(order)
    assert {x["outcome"] for x in waiting} == {"waiting"}
    asked.post(f"plans/{plan}/approve", {"reason": "ok"})
    cell.dlq("run", str(plan))
    unsent = asked.get(path, outcome="unsent")
    assert [(x["letter_id"], x["outcome"], x["state"], x["topic"],
             x["partition"]) for x in unsent["letters"]] == [
        (looped, "quarantined", "quarantined", cell.commands, 0),
        (behind, "held", "pending", cell.commands, 0)]
    assert "it was replayed 5 times" in unsent["letters"][0]["detail"]
    assert unsent["letters"][1]["detail"].startswith(f"behind {looped}")
    assert ids(asked.get(path, outcome="held")) == [behind]
    assert ids(asked.get(path, outcome="sent")) == [free]
    first = asked.get(path, limit="2")
    rest = asked.get(path, limit="2", cursor=first["next"])
    assert ids(first) + ids(rest) == [x["letter_id"] for x in waiting]
    assert "next" not in rest
    counts = asked.get(f"plans/{plan}")
    assert [counts[k] for k in ("sent", "refused", "quarantined", "held")] == [
        1, 0, 1, 1]
    for wrong in ({"outcome": "lost"}, {"cursor": "x"}):
        asked.get(path, status=400, **wrong)
    asked.get("plans/999999/letters", status=404)
    # the same from the command line
    shown = [json.loads(line) for line in cell.dlq(
        "plans", str(plan), "--letters", "--outcome", "unsent",
        "--json").splitlines()]
    assert shown == unsent["letters"]
    text = cell.dlq("plans", str(plan), "--letters").splitlines()
    assert [line.split()[1:3] for line in text] == [
        [x["letter_id"], x["outcome"]] for x in asked.get(path)["letters"]]
    for args in (["plans", "--letters"], ["list", "--letters"],
                 ["plans", str(plan), "--outcome", "held"],
                 ["plans", str(plan), "--letters", "--outcome", "lost"]):
        cell.dlq(*args, status=64)


def test_letters_that_were_sent_are_not_counted_one_by_one(relay_cell):
    cell = relay_cell
    cell.rejected()
    cell.dlq("plan", "--where", "attempts = 1", "--reason", "r")
    cell.sql("INSERT INTO replay_plan_letters (plan_id, place, letter_id, "
             "outcome) SELECT plan_id, i, gen_random_uuid(), CASE WHEN "
             "i < 3000 THEN 'sent' ELSE 'held' END FROM replay_plans, "
             "generate_series(2, 3003) i; "
             "UPDATE replay_plan_letters SET outcome = 'sent' WHERE place = 1; "
             "UPDATE replay_plans SET letters = 3003, next_place = 3004")
    cell.sql("VACUUM ANALYZE replay_plan_letters")
    text = (ROOT / "services/outbox-relay/sql/plan_find.sql").read_text()
    [([shown],)] = cell.sql("EXPLAIN (ANALYZE, FORMAT JSON) " + text.replace(
        "$1", "0").replace("$2", "100"))
    assert 0 < rows_read(shown["Plan"], "replay_plan_letters") < 100
    [plan] = [json.loads(x) for x in cell.dlq("plans", "--json").splitlines()]
    assert (plan["sent"], plan["held"], plan["discarded"]) == (2999, 4, 0)


def test_a_run_is_stopped_from_another_request_and_goes_on(relay_cell, api):
    cell, asked = relay_cell, api()
    letters = [cell.rejected() for _ in range(60)]
    plan = asked.post("plans", {"where": "attempts >= 0", "reason": "r",
                                "per_second": 1}, status=201)["plan"]
    asked.post(f"plans/{plan}/approve", {"reason": "ok"})
    asked.post(f"plans/{plan}/run", {}, status=202)
    until(lambda: asked.get(f"plans/{plan}")["sent"] > 0, 60, "some are sent")
    busy = asked.post(f"plans/{plan}/run", {}, status=409)
    assert "is being run here" in busy["error"]["message"]
    assert asked.get("status")["running"] == plan
    # reading goes on meanwhile
    assert asked.get("letters", state="any")["fitting"] == 60
    asked.post(f"plans/{plan}/stop", {"reason": "lunch"}, who="bob")
    stopped = plan_state(asked, plan, "stopped")
    assert "was stopped" in stopped["last_run"]
    assert stopped["state_reason"] == "lunch" and stopped["sent"] < 60
    cell.sql("UPDATE replay_plans SET per_second = NULL")
    asked.post(f"plans/{plan}/run", {}, status=202)
    assert plan_state(asked, plan, "done")["sent"] == 60
    assert [header(r, "ch_letter_id")
            for r in cell.records(cell.commands)] == letters


def test_a_relay_that_ends_stops_its_run(relay_cell, api):
    cell, asked = relay_cell, api()
    for _ in range(60):
        cell.rejected()
    plan = asked.post("plans", {"where": "attempts >= 0", "reason": "r",
                                "per_second": 1}, status=201)["plan"]
    asked.post(f"plans/{plan}/approve", {"reason": "ok"})
    asked.post(f"plans/{plan}/run", {}, status=202)
    until(lambda: asked.get(f"plans/{plan}")["sent"] > 0, 60, "some are sent")
    assert asked.daemon.stop(60) == 0
    [(state, why)] = cell.sql("SELECT state, state_reason FROM replay_plans")
    assert state == "stopped" and "run plan" in why


def test_a_plan_that_another_session_runs_is_left_alone(relay_cell, api):
    cell, asked = relay_cell, api()
    plan = asked.post("plans", {"ids": [cell.rejected()], "reason": "r"},
                      status=201)["plan"]
    asked.post(f"plans/{plan}/approve", {"reason": "ok"})
    lock = ("hashtextextended('countinghouse replay plan ' "
            f"|| {plan}::int8, 'ch.replay_plans'::regclass::oid::bigint)")
    cell.sql(f"SELECT pg_advisory_lock({lock})")
    asked.post(f"plans/{plan}/run", {}, status=202)
    left = until(lambda: (p := asked.get(f"plans/{plan}"))["last_run"] and p,
                 60, "the run has ended")
    assert "another session" in left["last_run"]
    assert (left["state"], left["sent"]) == ("approved", 0)
    cell.sql(f"SELECT pg_advisory_unlock({lock})")
    asked.post(f"plans/{plan}/run", {}, status=202)
    assert plan_state(asked, plan, "done")["last_run"] == ""


def test_two_people(relay_cell, api):
    cell, asked = relay_cell, api(dlq_two_person="actor")
    letter = cell.rejected()
    alone = asked.post("letters/replay", {"ids": [letter], "reason": "r"},
                       status=403)
    assert alone["error"]["code"] == "two_people"
    asked.post("letters/replay", {"ids": [letter], "dry_run": True})
    plan = asked.post("plans", {"ids": [letter], "reason": "r"},
                      status=201)["plan"]
    same = asked.post(f"plans/{plan}/approve", {"reason": "r"}, status=409)
    assert "somebody else" in same["error"]["message"]
    asked.post(f"plans/{plan}/run", {}, status=409)
    asked.post(f"plans/{plan}/approve", {"reason": "r"}, who="bob")
    asked.post(f"plans/{plan}/run", {}, status=202)
    plan_state(asked, plan, "done")
    assert len(cell.records(cell.commands)) == 1

"""schema/messages against itself, the code's table of types, the topics and
the producers' page. No daemon and no broker: `make integration T=messages`.

Nothing here may pass because nothing was looked at: each list of files or
names is counted against what the others say there must be.
"""

import collections
import json
import re

import jsonschema
import pytest
import yaml

from harness.cell import ROOT
from harness.message_schemas import (MESSAGES, SCHEMAS, check, event_schema,
                                     load, some, validator)
from harness.producer_page import PAGE as PRODUCER
from harness.producer_page import sends

EXAMPLES = MESSAGES / "examples"
# bytes that the decoder's unit test reads of an example
READ_MAX = 65535
GROUP_OUTER = {"expected_version"}
MEMBER_COMMON = {"type", "ref", "meta", "reason", "expected_version"}
NOT_IN_GROUPS = {"group", "market.settle"}

COMMANDS = {name.removeprefix("command.").removesuffix(".schema.json"): schema
            for name, schema in SCHEMAS.items() if name.startswith("command.")}
STATUSES = load(MESSAGES / "statuses.json")["statuses"]
CATALOGUE = load(MESSAGES / "events.json")
EVENTS = {e["type"]: e for e in CATALOGUE["events"]}
REFUSED = load(EXAMPLES / "refused.json")
COMMON = [f for f in COMMANDS["asset.define"]["properties"]
          if f not in ("asset", "scale")]
ASYNCAPI = yaml.safe_load((MESSAGES / "asyncapi.yaml").read_text())


def command_schema(type_):
    return f"command.{type_}.schema.json"


def own_fields(type_):
    return [f for f in COMMANDS[type_]["properties"] if f not in COMMON]


def walk(value):
    """Every object inside of a JSON value, itself included."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from walk(inner)


# ---- schemas ----

@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one_and_its_references_lead_somewhere(name):
    schema = SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] and schema["description"]
    resolver = validator(name).resolver
    for part in walk(schema):
        if "$ref" in part:
            resolver.resolve(part["$ref"])
        if part.get("type") == "object" and "properties" in part:
            assert set(part.get("required", ())) <= set(part["properties"])


@pytest.mark.parametrize("type_", COMMANDS)
def test_every_command_repeats_the_common_fields(type_):
    schema = COMMANDS[type_]
    assert schema["title"] == type_
    assert schema["properties"]["type"] == {"const": type_}
    assert schema["additionalProperties"] is False
    assert schema["required"][:3] == ["id", "org", "type"]
    outer = GROUP_OUTER if type_ == "group" else set()
    for field in COMMON:
        if field in outer:
            assert field not in schema["properties"]
        elif field not in ("type", "expected_version"):
            assert (schema["properties"][field]
                    == COMMANDS["asset.define"]["properties"][field])


def test_a_member_of_a_group_has_the_fields_of_its_type():
    schema = COMMANDS["group"]
    items = schema["properties"]["commands"]["items"]
    kinds = [t for t in COMMANDS if t not in NOT_IN_GROUPS]
    assert sorted(schema["$defs"]) == sorted(kinds)
    assert sorted(items["properties"]["type"]["enum"]) == sorted(kinds)
    assert [c["then"]["$ref"] for c in items["allOf"]] == [
        "#/$defs/" + c["if"]["properties"]["type"]["const"]
        for c in items["allOf"]]
    assert len(items["allOf"]) == len(kinds)
    for type_ in kinds:
        member, alone = schema["$defs"][type_], COMMANDS[type_]
        assert member["additionalProperties"] is False
        assert set(member["properties"]) == MEMBER_COMMON | set(
            own_fields(type_))
        assert member["required"] == ["type", *alone["required"][3:]]
        assert ("dependentSchemas" in member) == ("dependentSchemas" in alone)
        for field, part in member["properties"].items():
            assert part == ({"const": type_} if field == "type" else {
                "$ref": f"{command_schema(type_)}#/properties/{field}"})


# ---- types and statuses ----

def types_of_the_code():
    text = (ROOT / "services/ledger-writer/ledger.c").read_text()
    table = re.search(r"command_types\[COMMAND_TYPES\] = \{(.*?)\n\};", text,
                      re.S).group(1)
    found = re.findall(r'\[COMMAND_\w+\] = \{"([a-z.]+)"', table)
    assert len(found) == table.count("[COMMAND_") >= 23
    return found


def test_types_are_those_of_the_code():
    assert sorted(types_of_the_code()) == sorted(COMMANDS)


@pytest.mark.parametrize("type_", COMMANDS)
def test_every_type_is_shown_and_described(type_):
    assert (EXAMPLES / "commands" / f"{type_}.json").exists()
    assert f"`{type_}`" in (ROOT / "docs/protocols/commands.md").read_text()
    link = f"| [`{type_}`](../schema/messages/{command_schema(type_)}) |"
    rows = [r for r in PRODUCER.splitlines() if r.startswith(link)]
    assert len(rows) == 1, f"{len(rows)} rows begin with {link}"
    for field in own_fields(type_):
        assert f"`{field}`" in rows[0]


def test_statuses_are_those_of_results():
    names = [s["status"] for s in STATUSES]
    properties = SCHEMAS["result.schema.json"]["properties"]
    assert len(names) == len(set(names)) >= 44
    assert properties["status"]["enum"] == names
    assert properties["failed"]["properties"]["status"]["enum"] == [
        s["status"] for s in STATUSES if s["by"] == "books"
        and s["status"] not in ("group_failed", "applied")]


@pytest.mark.parametrize("status", [s["status"] for s in STATUSES])
def test_every_status_is_on_the_producers_page(status):
    rows = [line for line in PRODUCER.splitlines()
            if line.startswith("|") and f"`{status}`" in line.split("|")[1]]
    assert len(rows) == 1, f"{status}: {len(rows)} rows say what to do"


def test_the_producers_page_keeps_the_order_of_precedence():
    table = PRODUCER.split("## Statuses", 1)[1].split("\n## ", 1)[0]
    told = [name for line in table.splitlines() if line.startswith("| `")
            for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert told == [s["status"] for s in STATUSES]


# ---- examples ----

def type_of(path):
    """examples/commands/<type>[.<variant>].json"""
    name = path.name.removesuffix(".json")
    fits = [t for t in COMMANDS if name == t or name.startswith(t + ".")]
    assert fits, f"{path.name}: of no type"
    return max(fits, key=len)


COMMAND_EXAMPLES = some(EXAMPLES / "commands", "*.json", 40)


@pytest.mark.parametrize("path", COMMAND_EXAMPLES, ids=lambda p: p.stem)
def test_every_command_example_is_valid(path):
    assert len(path.read_bytes()) <= READ_MAX
    value = load(path)
    assert value["type"] == type_of(path)
    check(command_schema(value["type"]), value)


def test_no_two_examples_have_one_id():
    ids = collections.Counter(load(p)["id"] for p in COMMAND_EXAMPLES)
    assert [i for i, n in ids.items() if n > 1] == []


@pytest.mark.parametrize("type_", COMMANDS)
def test_every_field_is_in_an_example(type_):
    shown = [load(p) for p in COMMAND_EXAMPLES if type_of(p) == type_]
    for field in own_fields(type_):
        assert any(field in value for value in shown), field


def test_every_kind_of_version_is_in_an_example():
    kinds = {kind for c in COMMANDS.values()
             for kind in c["properties"].get("expected_version",
                                             {}).get("properties", ())}
    shown = {kind for p in COMMAND_EXAMPLES for part in walk(load(p))
             for kind in part.get("expected_version", ())}
    assert shown == kinds and len(kinds) == 7


RESULTS = some(EXAMPLES / "results", "*.json", 20)


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.stem)
def test_every_result_example_is_valid_and_in_order(path):
    value = load(path)
    check("result.schema.json", value)
    order = list(SCHEMAS["result.schema.json"]["properties"])
    assert list(value) == sorted(value, key=order.index)
    for kind, row in ((k, r) for k, v in value.items()
                      if isinstance(v, list) for r in v):
        part = SCHEMAS["result.schema.json"]["properties"][kind]["items"]
        assert list(row) == sorted(row, key=list(part["properties"]).index)


def test_every_member_and_state_of_results_is_in_an_example():
    shown = [load(p) for p in RESULTS]
    properties = SCHEMAS["result.schema.json"]["properties"]
    for member in properties:
        assert any(member in value for value in shown), member
    assert {v["type"] for v in shown} >= set(CATALOGUE["timers"])
    for kind, part in properties.items():
        for member in part.get("items", {}).get("properties", ()):
            assert any(member in row for value in shown
                       for row in value.get(kind, ())), f"{kind}.{member}"


@pytest.mark.parametrize("name", [n for n in SCHEMAS
                                  if n.startswith("market.")])
def test_every_market_example_is_valid(name):
    check(name, load(MESSAGES / name.replace(".schema.", ".example.")))


@pytest.mark.parametrize("member, value", [
    ("qty", "0"), ("qty", "0.000000001"), ("qty", "-1"), ("qty", 1),
    ("price", "1e3"), ("traded_at", "2026-11-21T09:41:02+01:00"),
    ("fill_id", ""), ("order", ""), ("org", "a/b")])
def test_a_fill_is_refused(member, value):
    fill = load(MESSAGES / "market.fill.example.json")
    check("market.fill.schema.json", {**fill, "seen_by": "others"})
    with pytest.raises(AssertionError, match=re.escape(member)):
        check("market.fill.schema.json", {**fill, member: value})


# ---- refused values ----

def readable(entry):
    """The object, where the type is known and the rest can be judged."""
    try:
        value = json.loads(entry["value"])
    except ValueError:
        return None
    known = isinstance(value, dict) and value.get("type") in COMMANDS
    return value if known and entry["error_class"] == "invalid" else None


def fields_at_fault(value):
    for error in validator(command_schema(value["type"])).iter_errors(value):
        missing = re.match(r"'(\w+)' is a required", error.message)
        yield (error.absolute_path[0] if error.absolute_path
               else missing.group(1) if missing else None)


@pytest.mark.parametrize("entry", [e for e in REFUSED if readable(e)],
                         ids=lambda e: e["why"])
def test_what_is_refused_is_refused_by_its_schema_too(entry):
    """But for what only the decoder sees: bytes, calendars, other names."""
    faults = list(fields_at_fault(readable(entry)))
    assert bool(faults) != entry.get("schema_accepts", False)
    assert len(set(faults)) <= 1, f"more than one fault: {faults}"


def test_refused_values_can_be_read_by_the_unit_test():
    assert len(REFUSED) >= 200
    assert len((EXAMPLES / "refused.json").read_bytes()) <= READ_MAX
    assert len({e["why"] for e in REFUSED}) == len(REFUSED)
    for entry in REFUSED:
        assert {"why", "value", "error_class", "reason",
                "answered"} <= set(entry)
        assert entry["error_class"] in ("malformed", "invalid")


def test_each_field_has_two_values_that_are_refused():
    faults = collections.Counter()
    for entry in REFUSED:
        value = readable(entry)
        if value:
            faults.update((value["type"], f) for f in fields_at_fault(value))
    few = [(t, f) for t in COMMANDS for f in own_fields(t)
           if faults[t, f] < 2]
    assert few == []


# ---- events ----

def test_the_catalogue_is_whole():
    aggregates = {e["aggregate"] for e in EVENTS.values()}
    assert len(EVENTS) == len(CATALOGUE["events"]) >= 29
    assert {event_schema(e["aggregate"]) for e in EVENTS.values()} == {
        n for n in SCHEMAS if n.startswith(("event.", "fleet."))}
    assert {p.stem for p in some(EXAMPLES / "events", "*.json", 29)} == set(
        EVENTS)
    writers = {*COMMANDS, *CATALOGUE["timers"], "pause()", "resume()",
               "reconciler", "ledger-writer"}
    assert {e["by"] for e in EVENTS.values()} <= writers
    assert set(CATALOGUE["timers"]) <= {e["by"] for e in EVENTS.values()}
    listed = (ROOT / "docs/protocols/commands.md").read_text().split(
        "## 8. Events")[1]
    for type_, event in EVENTS.items():
        if not event["aggregate"].startswith("fleet."):
            assert f"`{type_}`" in listed
        else:
            assert f"`{type_}`" in PRODUCER or event["aggregate"] in PRODUCER
    assert aggregates == {"stock", "account", "order", "trade", "market",
                          "fleet.control", "fleet.alerts"}


@pytest.mark.parametrize("type_", EVENTS)
def test_every_event_has_a_schema_and_an_example(type_):
    event = EVENTS[type_]
    schema = SCHEMAS[event_schema(event["aggregate"])]
    value = load(EXAMPLES / "events" / f"{type_}.json")
    check(event_schema(event["aggregate"]), value)
    told = [m.rstrip("?") for m in event["payload"]]
    always = {m for m in event["payload"] if not m.endswith("?")}
    assert set(told) <= set(schema["properties"])
    assert always <= set(value) <= set(told)
    assert set(schema["required"]) <= always
    if not event["aggregate"].startswith("fleet."):
        assert list(value) == [m for m in told if m in value]
        assert told == sorted(told, key=list(schema["properties"]).index)
    if event["aggregate"] not in ("fleet.control", "fleet.alerts"):
        assert f"{type_}" in schema["description"]
    for named in re.findall(r"<(\w+)>", event["key"]):
        assert named in value
    for part in ("action", "alert"):
        assert value.get(part, type_) == type_


def test_breaks_are_of_the_reconcilers_checks():
    text = (ROOT / "services/reconciler/checks.c").read_text()
    names = re.findall(r'\[CHECK_\w+\] = \{"(\w+)", "pause_', text)
    assert len(names) == text.count("[CHECK_") >= 8
    assert SCHEMAS["fleet.alerts.schema.json"]["properties"]["check"][
        "enum"] == names


# ---- topics ----

def topics_of_the_deployment():
    lines = (ROOT / "deploy/topics.conf").read_text().splitlines()
    found = [line.split()[0] for line in lines
             if line and not line.startswith("#")]
    assert len(found) >= 10
    return found


def test_asyncapi_lists_every_topic_and_every_schema():
    channels = ASYNCAPI["channels"]
    assert ASYNCAPI["info"]["version"] == (ROOT / "VERSION").read_text().strip()
    assert [c["address"] for c in channels.values()] == list(channels)
    assert sorted(channels) == sorted(topics_of_the_deployment())
    topics = {e["aggregate"] if e["aggregate"].startswith("fleet.")
              else "outbox.event." + e["aggregate"] for e in EVENTS.values()}
    assert topics == {c for c in channels
                      if c.startswith(("outbox.event.", "fleet."))}
    payloads = [m["payload"]["$ref"].removeprefix("./") for m
                in ASYNCAPI["components"]["messages"].values()
                if "payload" in m]
    assert sorted(payloads) == sorted(SCHEMAS)
    assert (sorted(channels["ledger.commands"]["messages"])
            == sorted(COMMANDS))
    for name, message in ASYNCAPI["components"]["messages"].items():
        if name in COMMANDS:
            assert message["payload"]["$ref"] == "./" + command_schema(name)


def test_asyncapi_refers_only_to_what_is_there():
    seen = 0
    for part in walk(ASYNCAPI):
        ref = part.get("$ref", "#/info")
        seen += "$ref" in part
        if ref.startswith("./"):
            assert ref[2:] in SCHEMAS
            continue
        target = ASYNCAPI
        for step in ref.removeprefix("#/").split("/"):
            target = target[step]
        assert target
    assert seen >= 100


# ---- the producers' page ----

SENDS = sends()
EXAMPLE_ID = "01a1fd8c-67be-7f60-8a1b-0000000000ff"
EXAMPLE_IDS = collections.defaultdict(lambda: EXAMPLE_ID)


def test_the_page_shows_every_type_applied():
    types = {kind for s in SENDS if s.answers[0][1]["status"] == "applied"
             for kind in (s.type, *(m["type"] for m in s.fields(
                 EXAMPLE_IDS).get("commands", ())))}
    assert types == set(COMMANDS)


@pytest.mark.parametrize("sent", SENDS, ids=lambda s: f"{s.owner} {s.type}")
def test_commands_and_answers_of_the_page_are_valid(sent):
    check(command_schema(sent.type), {
        "id": EXAMPLE_ID, "org": "acme", "type": sent.type,
        **sent.fields(EXAMPLE_IDS)})
    assert sent.answers
    for type_, shown in sent.answers:
        assert type_ == sent.type or type_ in CATALOGUE["timers"]
        check("result.schema.json", {
            "id": EXAMPLE_ID, "org": "acme", "type": type_, **shown,
            "seq": "0-1", "decided_at": "2026-11-21T10:00:00.000123Z"})
        order = list(SCHEMAS["result.schema.json"]["properties"])
        assert list(shown) == sorted(shown, key=order.index)

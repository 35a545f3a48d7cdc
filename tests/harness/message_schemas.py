"""The JSON Schemas of schema/messages, for whoever holds a message."""

import json

import jsonschema

from .cell import ROOT

MESSAGES = ROOT / "schema" / "messages"


def load(path):
    """JSON, a name twice in one object refused."""
    def pairs(items):
        names = [name for name, _ in items]
        assert len(names) == len(set(names)), f"{path}: a name twice"
        return dict(items)
    return json.loads(path.read_text(), object_pairs_hook=pairs)


def some(path, pattern, least):
    """The files of a folder; fewer than least fail."""
    found = sorted(path.glob(pattern))
    assert len(found) >= least, f"{path}/{pattern}: {len(found)} files"
    return found


SCHEMAS = {p.name: load(p) for p in some(MESSAGES, "*.schema.json", 34)}


def validator(name):
    """References lead to the files beside it, and nowhere else."""
    base = MESSAGES.as_uri() + "/"
    store = {base + other: schema for other, schema in SCHEMAS.items()}
    resolver = jsonschema.RefResolver(base + name, SCHEMAS[name], store,
                                      handlers={"file": None, "http": None,
                                                "https": None})
    return jsonschema.Draft202012Validator(SCHEMAS[name], resolver=resolver)


def check(name, value):
    """Fails with each error and where it is."""
    errors = [f"{e.json_path}: {e.message[:300]}"
              for e in validator(name).iter_errors(value)]
    assert not errors, "\n".join([name, *errors, json.dumps(value)[:1000]])


def event_schema(aggregate):
    """The name of the schema of an aggregate's events."""
    name = f"{aggregate}.schema.json"
    return name if name in SCHEMAS else f"event.{aggregate}.schema.json"

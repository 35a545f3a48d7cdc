"""docs/reference/outbox-relay-api.yaml and the API say the same: paths, methods,
members of bodies, arguments of queries."""

import re

import pytest
import yaml

from harness.cell import ROOT

PAGE = yaml.safe_load(
    (ROOT / "docs/reference/outbox-relay-api.yaml").read_text())
SOURCES = ROOT / "services" / "outbox-relay"
NOBODY = {"id": "00000000-0000-7000-8000-000000000000", "plan": "999999"}
NO_SUCH = "there is no such resource, or not by this method"


def followed(node):
    """What a $ref stands for."""
    while "$ref" in node:
        found = PAGE
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations():
    """(method, path, operation, parameters) of the page."""
    for path, item in PAGE["paths"].items():
        for method in item.keys() & {"get", "post", "put", "delete", "patch"}:
            operation = item[method]
            parameters = [followed(p) for p in item.get("parameters", []) +
                          operation.get("parameters", [])]
            yield method.upper(), path, operation, parameters


def schema_of(operation):
    body = followed(operation["requestBody"])
    return followed(body["content"]["application/json"]["schema"])


def served():
    """(method, path) of the API's tables."""
    rows = [row for name in ("api_letters.c", "api_plans.c",
                             "api_endpoints.c") for row in
            re.findall(r'\{CH_HTTP_(GET|POST|PUT|DELETE), "([^"]+)"',
                       (SOURCES / name).read_text())]
    assert len(rows) > 10, "the tables are not found where they were"
    return sorted(rows)


def test_each_path_of_the_page_is_served_and_no_other():
    stars = sorted((method, re.sub(r"\{[^}]+\}", "*", path).lstrip("/"))
                   for method, path, _, _ in operations())
    assert stars == served()


def filled(path):
    return re.sub(r"\{([^}]+)\}", lambda m: NOBODY[m.group(1)], path)


def test_each_operation_answers_as_a_resource(relay_cell, api):
    """None is refused as unknown, and those of another method are."""
    asked = api()

    def is_of_the_page(method, path):
        return any(m == method and re.fullmatch(
            re.sub(r"\{[^}]+\}", "[^/]+", p), path)
            for m, p, _, _ in operations())
    for path in PAGE["paths"]:
        for method in ("GET", "POST"):
            body = {} if method == "POST" else None
            status, answer = asked.ask(method, "/api/v1" + filled(path), body,
                                       who="ann", raw=True)
            unknown = status == 404 and NO_SUCH in answer
            assert unknown != is_of_the_page(method, path), (
                method, path, status, answer)


def test_bodies_have_the_members_of_the_page(relay_cell, api):
    """A member that is not known is refused, and the refusal names those that
    are."""
    asked, posts = api(), 0
    for method, path, operation, _ in operations():
        if method != "POST":
            continue
        posts += 1
        status, answer = asked.ask("POST", "/api/v1" + filled(path),
                                   {"no_such": 1}, who="ann")
        known = answer["error"]["message"].partition("expected any of: ")[2]
        schema = schema_of(operation)
        assert status == 400 and schema["additionalProperties"] is False
        assert sorted(known.split()) == sorted(schema["properties"]), path
    assert posts >= 8


WRONG = {"string": [1, True, ["a"], {}], "boolean": [1, "true", None],
         "integer": ["1", True, 1.5], "array": ["a", 1, {}]}


def test_members_have_the_types_of_the_page(relay_cell, api):
    asked, tried = api(), 0
    for method, path, operation, _ in operations():
        if method != "POST":
            continue
        for name, node in schema_of(operation)["properties"].items():
            for value in WRONG[followed(node)["type"]]:
                status, answer = asked.ask(
                    "POST", "/api/v1" + filled(path),
                    {"dry_run": True, "ids": [NOBODY["id"]],
                     "reason": "r", name: value}
                    if name in ("ids", "reason", "dry_run") or
                    "ids" in schema_of(operation)["properties"]
                    else {name: value}, who="ann")
                assert (status, answer["error"]["code"]) == (
                    400, "invalid"), (path, name, value, answer)
                tried += 1
    assert tried > 60


def test_limits_of_queries_are_those_of_the_page(relay_cell, api):
    asked, tried = api(), 0
    for method, path, _, parameters in operations():
        good = 404 if "{" in path else 200  # of nobody
        for p in parameters:
            if p["in"] != "query" or p["name"] != "limit":
                continue
            schema, tried = p["schema"], tried + 1
            for value, wanted in ((schema["minimum"], good),
                                  (schema["maximum"], good),
                                  (schema["minimum"] - 1, 400),
                                  (schema["maximum"] + 1, 400)):
                status, answer = asked.ask(
                    "GET", f"/api/v1{filled(path)}?limit={value}", raw=True)
                assert status == wanted, (path, value, answer)
    assert tried >= 5


@pytest.mark.parametrize("name", ["where", "state", "by", "cursor", "subject",
                                  "outcome"])
def test_arguments_of_the_page_are_read(relay_cell, api, name):
    """Each has a value that is refused: it is not passed over."""
    wrong = {"where": "clas = 'x'", "state": "gone", "by": "colour",
             "cursor": "x", "subject": "x" * 9000, "outcome": "lost"}[name]
    asked, tried = api(), 0
    for method, path, _, parameters in operations():
        if any(p["in"] == "query" and p["name"] == name for p in parameters):
            tried += 1
            status, _ = asked.ask(
                "GET", f"/api/v1{filled(path)}?{name}={wrong}".replace(
                    " ", "%20"), raw=True)
            assert status == (431 if name == "subject" else 400), path
    assert tried > 0

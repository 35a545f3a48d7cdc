"""The relay's fixtures; the rows and records of a test are in harness/relay_rows.py."""

import pytest

from harness.alone import Alone
from harness.dlq_api import Api, token_file
from harness.hook_server import KEY, HookServer
from harness.relay_rows import Cell
from harness.shop import Shop


@pytest.fixture
def relay_cell(cell, kafka, database, db):
    made = Cell(cell, kafka, database, db)
    made.topics()
    return made


@pytest.fixture
def relay(relay_cell, daemons):
    """relay(**flags) starts one on this test's database."""
    def start(wait_ready=True, env=None, **flags):
        return daemons("outbox-relay", wait_ready=wait_ready, env=env,
                       **relay_cell.flags(**flags))
    return start


@pytest.fixture
def api(relay_cell, relay, tmp_path):
    """api(**flags): the API of a relay on this test's database."""
    def start(tokens=True, **flags):
        cell = relay_cell
        if tokens:
            flags.setdefault("api_token_file", str(token_file(tmp_path)))
        return Api(relay(
            wait_ready=False, source="poll",  # no slot: it does not matter
            api_listen="127.0.0.1:0",
            api_database_url=cell.cell.url("operator", cell.database),
            **flags))
    return start


@pytest.fixture
def bare(cell, kafka):
    """An application's database with its outbox table, before anything of ours
    is installed."""
    made = Shop(Alone(cell), kafka)
    yield made
    made.db.close()
    cell.drop_database(made.database)


@pytest.fixture
def shop(bare):
    """The same, installed."""
    bare.alone.install("public.outbox", "outbox_relay")
    return bare


@pytest.fixture
def shop_relay(bare, daemons):
    """shop_relay(**flags) starts one beside that application's database."""
    def start(wait_ready=True, **flags):
        return daemons("outbox-relay", wait_ready=wait_ready,
                       **bare.flags(**flags))
    return start


@pytest.fixture
def server():
    made = HookServer()
    yield made
    made.stop()


@pytest.fixture
def hooks(server, tmp_path):
    """hooks(a={...}, b={...}) writes a file of endpoints; each goes to the
    server unless it says otherwise, and tries again soon."""
    def write(**endpoints):
        (tmp_path / "key").write_text(KEY + "\n")
        lines = []
        for name, keys in (endpoints or {"a": {}}).items():
            keys = {"url": server.url(f"/{name}"), "allow_http": "true",
                    "allow_private": "true", "backoff": "20ms",
                    "backoff_max": "200ms", "timeout": "20s",
                    "secret_file": tmp_path / "key", **keys}
            lines.append(f"[{name}]")
            lines += [f"{k} = {v}" for k, v in keys.items() if v is not None]
        path = tmp_path / "endpoints.conf"
        path.write_text("\n".join(lines) + "\n")
        return str(path)
    return write

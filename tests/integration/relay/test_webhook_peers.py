"""Webhooks to peers that are slow, large, broken, or hostile."""

import json
import socket
import struct
import subprocess
import threading

import pytest

from harness.cell import OUT
from harness.hook_server import HookServer, all_done
from harness.ports import free_port
from harness.wait import until


def serve(handle):
    """A listener whose every connection is given to handle(connection); its
    port."""
    listener = socket.create_server(("127.0.0.1", free_port()))

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,),
                             daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener


def read_request(connection, body=True):
    """Up to the end of its headers, or of its body."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536) or b"\r\n\r\n"
    head, _, rest = got.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                   if line.lower().startswith(b"content-length:")), 0)
    while body and len(rest) < length:
        rest += connection.recv(65536)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("ii", 1, 0))
    connection.close()


def hang_up_at_once(connection):
    connection.close()


def reset_at_once(connection):
    reset(connection)


def reset_behind_headers(connection):
    read_request(connection, body=False)
    reset(connection)


def reset_behind_body(connection):
    read_request(connection)
    reset(connection)


def end_behind_body(connection):
    read_request(connection)
    connection.close()


def not_http(connection):
    read_request(connection)
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    connection.close()


HANG_UPS = (hang_up_at_once, reset_at_once, reset_behind_headers,
            reset_behind_body, end_behind_body, not_http)


def test_who_only_hangs_up_condemns_nothing(relay_cell, relay, hooks, server):
    """As a balancer does that has nobody behind it: an outage, which costs no
    attempt, whatever the phase."""
    cell = relay_cell
    broken = {fn.__name__: serve(fn) for fn in HANG_UPS}
    once = {"attempts": 1}
    endpoints = {name: {"url": f"http://127.0.0.1:{at.getsockname()[1]}/x",
                        **once} for name, at in broken.items()}
    daemon = relay(webhooks=hooks(**endpoints))
    ids = {cell.event(f"k{n}") for n in range(3)}
    for name in broken:
        until(lambda: daemon.metric("relay_webhook_failures_total",
                                    endpoint=name, failure="outage") >= 4, 60,
              f"{name}: three, and a probe")
    assert cell.letters() == []
    assert daemon.stop() == 0
    for listener in broken.values():
        listener.close()
    relay(webhooks=hooks(**{name: once for name in broken}))
    all_done(cell, len(ids) * len(broken))
    assert cell.letters() == []
    for name in broken:
        assert {r.id for r in server.seen() if r.path == f"/{name}"} == ids


def test_one_that_it_hangs_up_on_is_a_letter(relay_cell, relay, hooks, server):
    """While it takes others."""
    cell, bad = relay_cell, set()
    server.answer = lambda r: b"" if r.id in bad else 204
    relay(webhooks=hooks(a={"attempts": 3}))
    with server.lock:
        bad.add(cell.event("bad"))

    def letters():
        cell.event("good")
        return cell.letters()
    letter = until(letters, 60, "the letter", every=0.2)[0]
    assert ({letter["row_id"]}, letter["error_class"]) == (
        bad, "http_protocol")


def test_large_events_in_hand_are_bounded(relay_cell, relay, hooks, server):
    """By their bytes, not by concurrency alone: an endpoint that is slow does
    not fill the memory."""
    cell, go = relay_cell, threading.Event()

    def answer(request):
        go.wait(120)
        return 204
    server.answer = answer
    large = json.dumps({"v": "x" * 3_000_000})
    daemon = relay(webhooks=hooks(a={"concurrency": 64, "timeout": "60s"}))
    ids = {cell.event(f"k{n}", payload=large) for n in range(12)}
    daemon.wait_metric(12, "relay_webhook_pending", endpoint="a")
    until(lambda: server.now >= 3, 60, "as many as may be")
    looks = daemon.metric("relay_webhook_pending", endpoint="a")
    assert looks == 12
    go.set()
    all_done(cell, 12)
    assert server.most == 3, "the third begins below 8 MiB"
    assert set(server.ids()) == ids


def test_a_clock_that_was_set_back_stops_no_key(relay_cell, relay, hooks,
                                                server):
    """PostgreSQL says when a key is due: by a clock that ran years ahead until
    it was put right, that is years from now."""
    cell = relay_cell
    server.answer = lambda r: 500
    relay(webhooks=hooks(a={"backoff": "1h", "backoff_max": "24h"}))
    one = cell.event("k1")
    until(lambda: cell.sql("SELECT attempts FROM webhook_deliveries")
          == [(1,)], 60, "it waits")
    server.answer = lambda r: 204
    cell.sql("UPDATE webhook_keys SET next_at = next_at + interval '9 y'")
    all_done(cell, 1)
    assert server.ids() == [one, one]


def test_a_slow_handshake_has_the_endpoints_time(relay_cell, relay, hooks,
                                                 tmp_path):
    """TLS and lookups are part of `timeout`, and have no shorter one."""
    files = tmp_path / "cert", tmp_path / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-out", str(files[0]), "-keyout", str(files[1])],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    secure = HookServer(tls=files)

    def pass_on(connection):
        threading.Event().wait(3.5)  # longer than curl's connect timeout was
        inner = socket.create_connection(("127.0.0.1", secure.port))

        def pump(a, b):
            try:
                while data := a.recv(65536):
                    b.sendall(data)
            except OSError:
                pass
        threading.Thread(target=pump, args=(inner, connection),
                         daemon=True).start()
        pump(connection, inner)
    slow = serve(pass_on)
    try:
        daemon = relay(webhooks=hooks(a={
            "url": f"https://localhost:{slow.getsockname()[1]}/hook",
            "allow_http": None}), webhooks_ca=str(files[0]))
        one = relay_cell.event("k1")
        until(lambda: secure.ids() == [one], 60, "it is taken")
        assert daemon.metric("relay_webhook_failures_total", endpoint="a",
                             failure="outage") == 0
    finally:
        slow.close()
        secure.stop()

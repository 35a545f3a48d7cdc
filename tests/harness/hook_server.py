"""An HTTP endpoint that records what it is sent and answers as it is told."""

import base64
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import threading
import time

from .ports import free_port
from .wait import until

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def all_done(cell, rows, seconds=120):
    """So many deliveries are there, each of them done, and no key is left."""
    until(lambda: cell.sql(
        "SELECT count(*), count(*) FILTER (WHERE done_at IS NULL), "
        "(SELECT count(*) FROM webhook_keys) FROM webhook_deliveries")
        == [(rows, 0, 0)], seconds, f"{rows} deliveries done")


class Request:
    """What came: id, headers in lower case, body, when."""

    def __init__(self, path, headers, body):
        self.path = path
        self.headers = {k.lower(): v for k, v in headers.items()}
        self.body = body
        self.at = time.monotonic()

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def json(self):
        return json.loads(self.body)

    def signed_by(self, key=KEY):
        """Is one of its signatures this key's? As a receiver checks it."""
        secret = base64.b64decode(key.removeprefix("whsec_"))
        text = b".".join([self.id.encode(),
                          self.headers["webhook-timestamp"].encode(),
                          self.body])
        mac = base64.b64encode(
            hmac.new(secret, text, hashlib.sha256).digest()).decode()
        return f"v1,{mac}" in self.headers["webhook-signature"].split(" ")


class HookServer:
    """server.answer(request) says what each request gets: a status, a
    (status, headers, body), bytes to be written as they are, a function that
    is given the handler, or None: no answer at all while the server lives.
    While server.deaf() is true it hangs up before it has read a request's body,
    which is no request then. tls: files of its certificate and key; port: 0:
    any."""

    def __init__(self, tls=None, port=0):
        self.tls = tls
        self.lock = threading.Lock()
        self.requests = []
        self.most = 0  # at the same time
        self.now = 0
        self.answer = lambda request: 204
        self.deaf = lambda: False
        self.closed = threading.Event()
        self.sockets = []
        self.http = None
        self.port = port or free_port()
        self.start()

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with outer.lock:
                    outer.sockets.append(self.connection)

            def do_POST(self):
                if outer.deaf():
                    self.close_connection = True
                    return
                length = int(self.headers.get("content-length") or 0)
                outer.serve(self, self.rfile.read(length))

            def log_message(self, format, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass  # a peer that was killed

        self.closed.clear()
        self.http = Server(("127.0.0.1", self.port), Handler)
        if self.tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            self.http.socket = context.wrap_socket(
                self.http.socket, server_side=True,
                do_handshake_on_connect=False)
        threading.Thread(target=self.http.serve_forever,
                         kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        """Nobody listens on the port afterwards."""
        self.closed.set()
        if self.http is not None:
            self.http.shutdown()
            self.http.server_close()
            self.http = None
        with self.lock:
            kept, self.sockets = self.sockets, []
        for connection in kept:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is closed

    def serve(self, handler, body):
        request = Request(handler.path, handler.headers, body)
        with self.lock:
            self.requests.append(request)
            self.now += 1
            self.most = max(self.most, self.now)
        answer, held = None, True
        try:
            answer = self.answer(request)
            # whoever has read the answer may send the next one at once
            held = answer is None or callable(answer)
            if not held:
                self.ended()
            self.reply(handler, answer)
        except OSError:
            handler.close_connection = True
        finally:
            if held:
                self.ended()

    def ended(self):
        with self.lock:
            self.now -= 1

    def reply(self, handler, answer):
        if answer is None:
            self.closed.wait()
            handler.close_connection = True
            return
        if callable(answer):
            answer(handler)
            handler.close_connection = True
            return
        if isinstance(answer, bytes):
            handler.wfile.write(answer)
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers, text = (answer if isinstance(answer, tuple)
                                 else (answer, {}, b""))
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status not in (204, 304):
            handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        if status not in (204, 304):
            handler.wfile.write(text)

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"

    def seen(self):
        with self.lock:
            return list(self.requests)

    def ids(self):
        return [r.id for r in self.seen()]

    def first_ids(self):
        """In the order of their first coming."""
        return list(dict.fromkeys(self.ids()))

"""A TCP proxy that does to connections what networks do: it holds one
direction, is slow, takes bytes and delivers none (half-open), refuses, resets.

Two threads a connection; each looks at what it should do before each chunk,
and at least every TICK seconds.
"""

import pathlib
import re
import select
import socket
import struct
import threading

TICK = 0.05
SLOW_BYTES, SLOW_PAUSE = 1024, 0.02  # about 50 kB a second and direction
DIRECTIONS = ("up", "down")


class Link:
    """One connection: the client's end and the server's."""

    def __init__(self, client, server):
        self.ends = {"up": (client, server), "down": (server, client)}
        self.over = threading.Event()
        self.reset = False
        self.half_open = set()  # directions, beside those of the proxy
        self.swallowed = False  # it is no stream any more: reset at the end
        self.pumping = len(DIRECTIONS)
        self.lock = threading.Lock()
        for end in (client, server):
            end.setblocking(False)

    def end(self, reset):
        self.reset = reset or self.reset
        self.over.set()

    def leave(self):
        """The last of its threads closes it: never below a select()."""
        with self.lock:
            self.pumping -= 1
            last = self.pumping == 0
        if not last:
            return
        for end in self.ends["up"]:
            if self.reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
            end.close()


class Proxy:
    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.held_up = set()      # directions
        self.half_open = set()    # directions
        self.slow = False
        self.refuses = False
        self.links = []
        self.held = 0  # times that bytes waited
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            link = Link(client, server)
            self.links = [old for old in self.links if not old.over.is_set()]
            self.links.append(link)
            if self.refuses:
                link.end(reset=True)
            for name in DIRECTIONS:
                threading.Thread(target=self.pump, args=(link, name),
                                 daemon=True).start()

    def pump(self, link, name):
        source, sink = link.ends[name]
        try:
            while not link.over.is_set():
                if not select.select([source], [], [], TICK)[0]:
                    continue
                held = name in self.held_up
                if link.over.is_set():
                    break  # a cut: what was held is not let go with it
                if held:
                    self.held += 1
                    link.over.wait(TICK)
                elif not self.carry(link, name, source, sink):
                    break
        except OSError:
            pass
        link.end(reset=False)
        link.leave()

    def carry(self, link, name, source, sink):
        """One chunk; False at the stream's end."""
        chunk = source.recv(SLOW_BYTES if self.slow else 65536)
        if self.slow:
            link.over.wait(SLOW_PAUSE)
        if name in self.half_open | link.half_open:
            link.swallowed = True
            return bool(chunk)
        left = memoryview(chunk)
        while left and not link.over.is_set():
            if select.select([], [sink], [], TICK)[1]:
                left = left[sink.send(left):]
        return bool(chunk)

    def hold(self, name):
        """What comes in this direction waits, until flow() or the cut."""
        self.held_up.add(name)

    def swallow(self, *names):
        """What comes in these directions is taken and never delivered."""
        self.half_open.update(names)

    def flow(self):
        """Everything as it should be; what has lost bytes is reset."""
        broken = [link for link in self.links if link.swallowed]
        self.refuses = self.slow = False
        self.held_up.clear()
        self.half_open.clear()
        self.end(broken, reset=True)

    def cut(self, reset=False):
        """Ends all connections; what was held is never delivered."""
        links, self.links = self.links, []
        self.end(links, reset)
        self.held_up.clear()

    def refuse(self):
        """Resets what there is and what comes, until flow()."""
        self.refuses = True
        self.cut(reset=True)

    def link_to(self, port):
        """The one that the server sees coming from there."""
        return next((link for link in self.links if not link.over.is_set()
                     and link.ends["down"][0].getsockname()[1] == port), None)

    @staticmethod
    def end(links, reset):
        for link in links:
            link.end(reset)

    def close(self):
        self.listener.close()
        self.cut()


def before_postgres(url, path):
    """A proxy before PostgreSQL and what a role's URL becomes behind it: the
    passfile of the URL names the port, so there is another one, at path."""
    proxy = Proxy("127.0.0.1", int(re.search(r":(\d+)/", url)[1]))
    secret = pathlib.Path(re.search("passfile=([^&]*)", url)[1]).read_text()
    path.write_text(f"*:*:*:*:{secret.rsplit(':')[-1]}")
    path.chmod(0o600)
    at = re.sub(r":\d+/", f":{proxy.port}/", url)
    return proxy, re.sub("passfile=[^&]*", f"passfile={path}", at)

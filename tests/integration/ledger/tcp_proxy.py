"""A TCP proxy that can hold one direction and cut all connections."""

import socket
import threading


class Proxy:
    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.go = {"up": threading.Event(), "down": threading.Event()}
        for event in self.go.values():
            event.set()
        self.pairs = []
        self.held = 0  # chunks that wait or waited
        self.cuts = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            self.pairs.append((client, server))
            for name, a, b in (("up", client, server),
                               ("down", server, client)):
                threading.Thread(target=self.pump, args=(name, a, b),
                                 daemon=True).start()

    def pump(self, name, source, sink):
        cuts = self.cuts
        try:
            while True:
                chunk = source.recv(65536)
                if not chunk:
                    break
                if not self.go[name].is_set():
                    self.held += 1
                    self.go[name].wait()
                    if self.cuts > cuts:
                        break
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def hold(self, name):
        """What comes in this direction waits, until the cut."""
        self.go[name].clear()

    def cut(self):
        """Ends all connections; what was held is never delivered."""
        self.cuts += 1
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        for event in self.go.values():
            event.set()

    def close(self):
        self.listener.close()
        self.cut()

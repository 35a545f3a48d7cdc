"""An HTTP endpoint beside Kafka that has moods: a receiver of events that
refuses, hangs, cuts its answers, is slow or away, each until it is calm again.

It notes every request that came whole (arrived) and every one that it decided
to take (taken), before it answers: the relay may believe in no other.
"""

import collections
import random
import threading

from harness.hook_server import KEY, HookServer

KINDS = ("skip", "block")  # of the events that its filter takes
NAME = "hook"
CONF = f"""[{NAME}]
url = %s
allow_http = true
allow_private = true
aggregatetype = {", ".join(KINDS)}
body = payload
secret_file = %s
timeout = 1500ms
backoff = 20ms
backoff_max = 1s
attempts = 100
"""
# How an answer ends too early; the last one says that the event is taken.
CUT = (b"", b"HTTP/1.1 20",
       b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")


class Hook:
    def __init__(self, directory, seed):
        self.rng = random.Random(f"{seed}/hook")
        self.lock = threading.Lock()
        self.arrived, self.taken = [], []  # (id, body), in their order
        self.unsigned = 0
        self.answers = collections.Counter()
        self.bodies = {}
        self.calm = threading.Event()
        self.mood = None
        self.soothe()
        self.server = HookServer()
        self.server.requests = collections.deque(maxlen=1)  # ours are kept
        self.server.answer = self.answer
        self.server.deaf = lambda: self.mood == self.hangs_up
        (directory / "hook.key").write_text(KEY + "\n")
        self.conf = directory / "endpoints.conf"
        self.conf.write_text(CONF % (self.server.url(),
                                     directory / "hook.key"))

    # ---- moods: functions that answer a request; True: it is taken

    def soothe(self):
        self.mood = lambda: True
        self.calm.set()

    def feel(self, mood):
        """Returns what ends it."""
        self.calm.clear()
        self.mood = mood
        return self.soothe

    def fails(self):
        return self.draw(((500, {}, b"not now"), 502, 503, 408, b"no HTTP\n"))

    def asks_for_patience(self):
        return self.draw((
            (429, {"Retry-After": "1"}, b""), (429, {}, b""),
            (503, {"Retry-After": "0"}, b"")))

    def hangs(self):
        """Nothing at all, and then the end of the connection."""
        return lambda handler: self.calm.wait(60)

    def cuts(self):
        return self.draw(CUT)

    def hangs_up(self):
        """In the middle of requests; one that was read by then: unanswered."""
        return b""

    def dawdles(self):
        """Some answers come after the relay has given up on them."""
        self.calm.wait(self.draw((0.05, 0.2, 2)))
        return True

    def go_away(self):
        """Nobody listens; returns what ends it."""
        self.server.stop()
        return self.server.start

    # ---- requests

    def draw(self, choices):
        with self.lock:
            return self.rng.choice(choices)

    def answer(self, request):
        with self.lock:
            body = self.bodies.setdefault((request.id, request.body),
                                          (request.id, request.body))
            self.arrived.append(body)
            self.unsigned += not request.signed_by()
        said = self.mood()
        took = said is True or said is CUT[-1]
        with self.lock:
            if took:
                self.taken.append(body)
            self.answers["taken" if took else "refused"] += 1
        return 204 if said is True else said

    def taken_ids(self):
        with self.lock:
            return {id_ for id_, _ in self.taken}

    def evidence(self):
        """(arrived, taken, how many were not signed)."""
        with self.lock:
            return list(self.arrived), list(self.taken), self.unsigned

    def close(self):
        self.soothe()
        self.server.stop()

# SPDX-License-Identifier: Apache-2.0
"""How much memory a process keeps resident while something goes on: its peak
(VmHWM, which the kernel keeps, so that no sample need hit it) and samples of
what it holds, to tell a level from a slope."""

import statistics
import threading
import time

from cost import status_mb

EVERY_SECONDS = 0.25
PARTS = 5  # the first and the last fifth of the samples are told apart


class Resident:
    """Samples from its making to stop()."""

    def __init__(self, pid):
        self.pid = pid
        self.samples = []
        self.over = threading.Event()
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.over.is_set():
            try:
                self.samples.append((status_mb(self.pid, "VmRSS"),
                                     status_mb(self.pid, "RssAnon")))
            except (OSError, LookupError):
                return  # it ended: who waits for it says so
            self.over.wait(EVERY_SECONDS)

    def stop(self):
        """What was seen, for the line of figures."""
        self.over.set()
        self.thread.join()
        held = [rss for rss, _ in self.samples]
        part = max(1, len(held) // PARTS)
        return {"first_mb": statistics.median(held[:part]),
                "last_mb": statistics.median(held[-part:]),
                "anonymous_mb": max(anon for _, anon in self.samples),
                "samples": len(held),
                "seconds": time.monotonic() - self.began}

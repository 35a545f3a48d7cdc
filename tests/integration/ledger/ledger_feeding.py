"""A load that flows while the test does other things."""

import threading


class Feeding(threading.Thread):
    """Produces lots of random records until finish(), which returns how many
    there are, `sent` before included."""

    def __init__(self, ledger, load, sent=0, lot=150, pause=0.0):
        super().__init__(daemon=True)  # a test that fails leaves it
        self.ledger, self.load, self.sent = ledger, load, sent
        self.lot, self.pause = lot, pause
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(self.pause):
            records = self.load.records(self.lot)
            self.ledger.send(*records)
            self.sent += len(records)

    def finish(self):
        self.over.set()
        self.join()
        return self.sent

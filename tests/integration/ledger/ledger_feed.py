"""The property test's commands into a test's topic: tests/support/
ledger_feed.c."""

import subprocess

from harness.cell import OUT


class Feed:
    """Ends with the `with` block; `sent` counts what Kafka acknowledged."""

    def __init__(self, bootstrap, topic, seed, **flags):
        self.process = subprocess.Popen(
            [str(OUT / "bin" / "ledger-feed"), f"--bootstrap={bootstrap}",
             f"--topic={topic}", f"--seed={seed}",
             *(f"--{k}={v}" for k, v in flags.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.sent = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"ledger-feed ended with {self.process.wait(60)}"
        self.sent = int(answer)
        return self.sent

    def begin(self):
        return self.ask("begin")

    def send(self, count):
        return self.ask(f"send {count}")

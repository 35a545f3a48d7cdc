"""ledger-writer's commands for operators, run as an operator would."""

import json
import subprocess

from harness.cell import OUT, ROOT


class Console:
    """Runs `ledger-writer <command> ...` as a role of the test's database."""

    def __init__(self, ledger, role="operator"):
        self.url = ledger.cell.url(role, ledger.database)

    def run(self, *words, seconds=120):
        return subprocess.run(
            [str(OUT / "bin" / "ledger-writer"),
             f"--database_url={self.url}", *map(str, words)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=seconds)

    def ok(self, *words, status=0, **more):
        """What it printed; it must end with that status."""
        ran = self.run(*words, **more)
        assert ran.returncode == status, (
            words, ran.returncode, ran.stdout[-3000:], ran.stderr[-3000:])
        return ran.stdout

    def explain(self, id_, *more, status=0):
        return self.ok("explain", id_, *more, status=status)

    def explained(self, id_, *more, status=0):
        return json.loads(self.explain(id_, "--json", *more, status=status))

"""Our daemons as child processes, ended by pid."""

import os
import pathlib
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from .cell import OUT, ROOT
from .wait import until


class Daemon:
    """One process of ours. Parameters become flags: bootstrap="x" is
    --bootstrap=x; a name with a dot (kafka.linger.ms) is given in params."""

    def __init__(self, name, params=None, env=None, wait_ready=True,
                 out=OUT, **flags):
        self.name = name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"ch-{name}-"))
        self.log = self.dir / "log"
        self.port_file = self.dir / "admin_port"
        merged = {"admin_listen": "127.0.0.1:0",
                  "admin_port_file": str(self.port_file), **flags,
                  **(params or {})}
        argv = [str(out / "bin" / name)]
        argv += [f"--{k}={v}" for k, v in merged.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, **(env or {})})
        if wait_ready:
            self.wait_ready()

    @property
    def pid(self):
        return self.process.pid

    def logged(self):
        return self.log.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def port(self):
        def read():
            self.assert_running()
            if not self.port_file.exists():
                return None
            return int(self.port_file.read_text().strip() or 0)
        return until(read, 60, f"{self.name} writes its admin port")

    def assert_running(self):
        assert self.running(), (f"{self.name} ended with status "
                                f"{self.process.returncode}:\n"
                                f"{self.logged()[-3000:]}")

    def assert_no_fault_of_ours(self):
        """What no lost dependency and no input explains, though the daemon
        lives on: two requests on one connection at a time."""
        told = [line for line in self.logged().splitlines()
                if "a request is under way on this connection" in line]
        assert not told, f"{self.name}: {told[0][:600]}"

    def get(self, path):
        """(status, body) from the admin server."""
        url = f"http://127.0.0.1:{self.port()}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, seconds=90):
        def ready():
            self.assert_running()
            return self.get("/readyz")[0] == 200
        try:
            until(ready, seconds, f"{self.name} ready")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.get('/readyz?verbose')}\n"
                                 f"{self.logged()[-3000:]}") from late
        return self

    def metric(self, name, **labels):
        """The value of one series, summed over labels that are not given. A
        page that did not come is asked for again: it is no zero."""
        def page():
            status, text = self.get("/metrics")
            return text if status == 200 else None
        total = 0.0
        text = until(page, 60, f"the metrics of {self.name}")
        for line in text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] != name:
                continue
            if all(f'{k}="{v}"' in series for k, v in labels.items()):
                total += float(value)
        return total

    def wait_metric(self, want, name, seconds=60, **labels):
        """Until it has that value: what it counts may be seen elsewhere a
        moment before it is counted."""
        until(lambda: self.metric(name, **labels) == want, seconds,
              f"{name} {labels} is {want}")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=60):
        """SIGTERM; returns the exit status."""
        if self.running():
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        if self.running():
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        return self.process.wait(60)

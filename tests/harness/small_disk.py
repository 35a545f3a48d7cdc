"""A disk that fills up: a small tmpfs; where a test may not mount one, a folder
that a preloaded library makes full (full_disk.c; CH_TEST_NO_MOUNT=1 tries it)."""

import os
import pathlib
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def shim(folder, *disks):
    """What a server must find so that these directories are full, each while
    it has a file "full"."""
    made = folder / "full_disk.so"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o",
                    str(made), str(HERE / "full_disk.c"), "-ldl"], check=True)
    return {"LD_PRELOAD": str(made), "FULL_DISKS": ":".join(map(str, disks))}


class Disk:
    def __init__(self, megabytes):
        # where PostgreSQL's user can reach it
        self.path = path = pathlib.Path(
            tempfile.mkdtemp(prefix="ch-disk-", dir="/tmp"))
        self.mounted = "CH_TEST_NO_MOUNT" not in os.environ and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs",
             str(path)], stderr=subprocess.PIPE).returncode == 0
        path.chmod(0o755)
        print(f"{path}: {'a tmpfs' if self.mounted else 'a shim'}")

    def env(self):
        """What the server must find, where the disk is not a real one."""
        if self.mounted:
            return {}
        return shim(self.path, self.path)

    def folder(self, name):
        made = self.path / name
        made.mkdir()
        return made

    def fill(self):
        """Takes what is left of it, to the last byte."""
        ballast = self.path / "full"
        with ballast.open("ab", buffering=0) as out:
            if not self.mounted:
                return
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        out.write(b"\0" * size)
                except OSError:
                    pass

    def make_room(self):
        os.unlink(self.path / "full")

    def release(self):
        if self.mounted:
            subprocess.run(["umount", str(self.path)], check=True)
        shutil.rmtree(self.path)

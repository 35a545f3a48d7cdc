# SPDX-License-Identifier: Apache-2.0
"""What a process has used, read from /proc: CPU seconds and memory."""

import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of all its threads so far."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid):
    """Largest resident size so far."""
    return status_kib(pid, "VmHWM") / 1024


def status_mb(pid, name):
    """A size of /proc/<pid>/status (VmHWM, VmRSS, ...) in 10^6 bytes."""
    return status_kib(pid, name) * 1024 / 1e6


def status_kib(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"process {pid} has no {name}")

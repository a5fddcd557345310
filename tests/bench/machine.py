"""Figures of the machine: CPU time and memory of processes, and the CPU time that the host took."""

import os
import pathlib
import re

TICK = os.sysconf("SC_CLK_TCK")


def family(pid):
    """The process and everything below it."""
    pids = [pid]
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                pids += family(int(child))
        except OSError:
            pass
    return pids


def cpu_seconds(pids):
    """User and system time of the processes so far."""
    total = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_mib(pids):
    total = 0
    for pid in pids:
        try:
            found = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
        except OSError:
            continue
        total += int(found[1]) if found else 0
    return total // 1024


def stolen_seconds():
    """CPU time that the host gave to others, all cores together."""
    with open("/proc/stat") as file:
        return int(file.readline().split()[8]) / TICK

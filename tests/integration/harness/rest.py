"""The check after every test that an idle process has returned what requests took: slots, turns,
reservations, sockets and memory. Whatever is not returned is lost until the process ends, and a few hundred
such losses would make it refuse requests."""

import collections
import os
import pathlib
import re
import time
import urllib.parse

from .wait import PATIENCE

LISTENING = "0A"  # as /proc/net/tcp writes it


def _tcp(pid):
    """{inode: (local port, remote port, state)} of the process's network."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            local, remote = (int(fields[i].rpartition(":")[2], 16) for i in (1, 2))
            found[fields[9]] = (local, remote, fields[3])
    return found


def descriptors(pid, own_ports=(), remote_ports=()):
    """How many there are of each kind, files left out: the store opens and closes them as it likes.

    Connections to `own_ports`, the operator's, and to `remote_ports` are left out too.
    """
    tcp = _tcp(pid)
    kinds = collections.Counter()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(entry.path)
        except FileNotFoundError:
            continue
        kind, _, rest = target.partition(":")
        if kind == "socket":
            local, remote, state = tcp.get(rest.strip("[]"), (None, None, None))
            if state != LISTENING and (local in own_ports or remote in remote_ports):
                continue
        if not target.startswith("/"):
            kinds["socket" if kind == "socket" else target if kind == "anon_inode" else kind] += 1
    return kinds


class Rest:
    """The figures of a process that has just begun, to compare with."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.own_ports = {proxy.listeners[name][1] for name in ("admin", "telemetry")
                          if name in proxy.listeners}
        config = getattr(proxy, "settings", None) or {}
        endpoint = config.get("tracing", {}).get("endpoint", "")
        self.remote_ports = {urllib.parse.urlsplit(endpoint).port} - {None}
        # Connections to a database are kept, and made when they are needed.
        database = config.get("store", {}).get("postgres", {}).get("url", "")
        self.remote_ports |= {int(port) for port in re.findall(r":(\d+)[,/]", database)}
        self.before = self._descriptors()

    def _descriptors(self):
        return descriptors(self.proxy.process.pid, self.own_ports, self.remote_ports)

    def left(self):
        """{name: how much} of what has not come back."""
        idle, left = 0, {}
        if "telemetry" in self.proxy.listeners:
            metrics = self.proxy.metrics()
            idle = metrics.sum("onceproxy_upstream_connections_idle")
            used = {kind: metrics.sum("onceproxy_slots_in_use", kind=kind)
                    for kind in ("client-connection", "upstream-connection", "turn", "policy-turn")}
            used["upstream-connection"] -= idle
            used["client"] = metrics.sum("onceproxy_connections", side="client")
            used["upstream"] = metrics.sum("onceproxy_connections", side="upstream") - idle
            used["reservation"] = metrics.sum("onceproxy_reservations_active")
            used["buffered byte"] = metrics.sum("onceproxy_buffered_bytes")
            left = {name: value for name, value in used.items() if value != 0}
            defects = metrics.sum("onceproxy_connection_defects_total")
            assert defects == 0, f"{defects:g} connections were ended by a defect"
        now = self._descriptors()
        now["socket"] -= int(idle)
        left.update({name: now[name] - self.before[name] for name in now
                     if now[name] > self.before[name]})
        return left

    def check(self, within=PATIENCE):
        """Waits until all has come back; fails, naming what has not."""
        deadline = time.monotonic() + within
        while left := self.left():
            if time.monotonic() > deadline:
                raise AssertionError(f"not given back within {within:g} s of rest: {left}")
            time.sleep(0.02)

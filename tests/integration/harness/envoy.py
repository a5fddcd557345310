"""Real Envoys with the configurations of deploy/envoy, in front of a service and beside onceproxy.

Their programs come from PyPI (tests/envoy_tools.sh); where that cannot be had, tests that need one are skipped."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import urllib.request

import pytest
import yaml

from .output import Lines
from .wait import PATIENCE, eventually

ROOT = pathlib.Path(__file__).parents[3]
# The oldest and the newest; the long tier takes all between them.
VERSIONS = ("1.36.4", "1.40.0")
IF_LONG = ("1.37.0", "1.38.3", "1.39.3")


def versions():
    return VERSIONS + IF_LONG if os.environ.get("ONCEPROXY_LONG") else VERSIONS


def program(version):
    """The path of that Envoy, which is installed where it is not; else the test is skipped."""
    place = ROOT / "build" / "envoy" / version / "envoy"
    if not place.exists():
        place.parent.parent.mkdir(parents=True, exist_ok=True)
        # Tests that run beside each other install it once.
        with open(place.parent.parent / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run([ROOT / "tests" / "envoy_tools.sh", version], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"Envoy {version} cannot be installed from PyPI: {done.stderr.strip()[-300:]}")
    return place


def find(config, kind):
    """The typed configuration whose @type ends in `kind`, wherever it stands."""
    if isinstance(config, dict):
        if str(config.get("@type", "")).endswith(kind):
            return config
        config = list(config.values())
    found = (find(item, kind) for item in config) if isinstance(config, list) else ()
    return next(filter(None, found), None)


class Envoy:
    """`service`: the port of the service. `onceproxy`: (host, port) or ("unix:/path", None) where it asks.
    `change(config)` may change the shipped configuration."""

    def __init__(self, version, directory, service, onceproxy, change=None):
        self.version = version
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        config = yaml.safe_load((ROOT / "deploy" / "envoy" / "ext-proc-sidecar.yaml").read_text())
        self._point(config, service, onceproxy)
        if change:
            change(config)
        path = self.directory / "envoy.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        admin = self.directory / "admin"
        self.process = subprocess.Popen(
            [program(version), "-c", path, "--disable-hot-restart", "--concurrency", "2", "--log-level", "warning",
             "--admin-address-path", admin, "--log-format", "%l %n %v"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.directory)
        self.stderr = Lines(self.process.stderr)
        eventually(lambda: self.process.poll() is not None or admin.exists() and admin.read_text(), "Envoy's admin port")
        assert self.process.poll() is None, self.stderr.text()
        self.admin = admin.read_text()
        eventually(lambda: self._ready(), "Envoy is ready")
        status = self.fetch("/listeners?format=json")["listener_statuses"][0]
        address = status["local_address"]["socket_address"]
        self.data = (address["address"], address["port_value"])

    @staticmethod
    def _point(config, service, onceproxy):
        """Every port the system's choice, and the clusters where the test has them."""
        config["admin"]["address"]["socket_address"]["port_value"] = 0
        resources = config["static_resources"]
        resources["listeners"][0]["address"]["socket_address"].update(address="127.0.0.1", port_value=0)
        for cluster in resources["clusters"]:
            endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
            if cluster["name"] == "service":
                endpoint["address"]["socket_address"]["port_value"] = service
            elif onceproxy[1] is None:
                endpoint["address"] = {"pipe": {"path": onceproxy[0].removeprefix("unix:")}}
            else:
                endpoint["address"]["socket_address"]["port_value"] = onceproxy[1]

    def _ready(self):
        with contextlib.suppress(OSError):
            return self.get("/ready") == "LIVE\n"

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=PATIENCE) as response:
            return response.read().decode()

    def fetch(self, path):
        return json.loads(self.get(path))

    def stat(self, name):
        """The sum of the counters whose names end so."""
        stats = self.fetch(f"/stats?format=json&filter={name}$")["stats"]
        return sum(stat.get("value", 0) for stat in stats)

    def close(self):
        """Ends it; in its eyes onceproxy has kept to the protocol."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE)
        self.stderr.finish()
        process.stderr.close()
        text = self.stderr.text()
        assert code == 0, text
        for line in text.splitlines():
            level, _, said = line.partition(" ")
            assert level != "critical" and "purious" not in said, text
            # What onceproxy asks of it is within what it is configured to give.
            assert "out of config range" not in said, text

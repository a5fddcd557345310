"""Notifications to systemd, and the priorities of log lines in the journal."""

import os
import signal
import socket
import subprocess
import time

import pytest
import yaml

from harness import PATIENCE, eventually, policy, request, settings
from harness.client import Client, once
from harness.output import Lines
from harness.process import binary, environment, run
from harness.threads import halt, named, resume


class Systemd:
    """The socket that NOTIFY_SOCKET names, and what came there, in order."""

    def __init__(self, name):
        self.name = str(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = "\0" + self.name[1:] if self.name.startswith("@") else self.name
        self.socket.bind(address)
        self.told = []

    def next(self, within=PATIENCE):
        """The next datagram as {name: value}; None where there is none in time."""
        self.socket.settimeout(within)
        try:
            text = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        state = dict(line.split("=", 1) for line in text.split("\n"))
        self.told.append(state)
        return state

    def wait_for(self, wanted):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            state = self.next()
            if state and wanted.items() <= state.items():
                return state
        raise AssertionError(f"no {wanted} in {self.told}")

    def drop(self):
        """Forgets what came up to now."""
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            pass


@pytest.fixture(params=["path", "abstract"])
def systemd(request, directory):
    name = directory / "notify" if request.param == "path" else f"@{directory}/notify"
    made = Systemd(name)
    yield made
    made.socket.close()


def under(systemd, stage, upstream, **variables):
    return stage.proxy(upstream, variables={"NOTIFY_SOCKET": systemd.name, **variables})


def test_systemd_is_notified_of_start_reload_and_end(systemd, stage, upstream):
    proxy = under(systemd, stage, upstream)
    assert systemd.next() == {"READY": "1"}
    assert once(proxy.data, request(key="a")).status == 200, "the ports listen"
    systemd.wait_for({"STATUS": "ready"})
    before = time.monotonic_ns() // 1000
    proxy.process.send_signal(signal.SIGHUP)
    reloading = systemd.wait_for({"RELOADING": "1"})
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert systemd.next() == {"READY": "1"}
    proxy.operator.post("/healthcheck/fail")
    systemd.wait_for({"STATUS": "health check failed by an operator"})
    assert proxy.terminate() == 0
    stopping = systemd.wait_for({"STOPPING": "1"})
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) == 30_000_000, "the drain time and ten seconds"
    systemd.wait_for({"STATUS": "draining"})
    assert not any("WATCHDOG" in state for state in systemd.told), "there is no watchdog"


def test_a_start_that_fails_is_never_ready(directory):
    systemd = Systemd(directory / "notify")
    config = directory / "onceproxy.yaml"
    config.write_text(yaml.safe_dump(settings("127.0.0.1:1", "/dev/null/data", [policy()])))
    assert run("run", "-c", config, NOTIFY_SOCKET=systemd.name).returncode == 3
    assert systemd.next(0.01) is None
    systemd.socket.close()


def test_the_watchdog_hears_of_a_program_that_is_alive_while_it_drains_too(systemd, stage, upstream):
    proxy = under(systemd, stage, upstream, WATCHDOG_USEC="200000")
    for _ in range(3):
        systemd.wait_for({"WATCHDOG": "1"})
    client = Client(proxy.data)
    client.send(b"POST /orders HTTP/1.1\r\n")  # a request that is under way
    eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="client") == 1, "it is there")
    proxy.begin_drain()
    systemd.wait_for({"STOPPING": "1"})
    for _ in range(3):
        systemd.wait_for({"WATCHDOG": "1"})
    client.close()
    assert proxy.wait() == 0


def test_the_watchdog_hears_nothing_while_a_worker_hangs(directory, stage, upstream):
    systemd = Systemd(directory / "notify")
    proxy = under(systemd, stage, upstream, WATCHDOG_USEC="200000")
    systemd.wait_for({"WATCHDOG": "1"})
    thread = named(proxy.process.pid, "worker")[0]
    halt(thread)
    assert proxy.stderr.wait_for(lambda line: line["message"].startswith("a worker hangs"), "the log")
    systemd.drop()
    assert systemd.next(0.5) is None, "five pings are left out"
    resume(thread)
    systemd.wait_for({"WATCHDOG": "1"})
    assert proxy.stderr.wait_for(lambda line: line["message"].endswith("alive again"), "the log")
    systemd.socket.close()


def test_a_watchdog_for_another_process_hears_nothing(directory, stage, upstream):
    systemd = Systemd(directory / "notify")
    proxy = under(systemd, stage, upstream, WATCHDOG_USEC="20000", WATCHDOG_PID="1")
    systemd.wait_for({"STATUS": "ready"})
    assert proxy.terminate() == 0
    systemd.wait_for({"STATUS": "draining"})
    assert not any("WATCHDOG" in state for state in systemd.told)
    systemd.socket.close()


def test_a_missing_notify_socket_is_reported_once_and_changes_nothing(stage, upstream, directory):
    proxy = stage.proxy(upstream, variables={"NOTIFY_SOCKET": f"{directory}/nobody"})
    assert once(proxy.data, request(key="a")).status == 200
    assert proxy.terminate() == 0
    told = [line for line in proxy.stderr.json() if "systemd" in line["message"]]
    assert len(told) == 1 and told[0]["level"] == "warn"


def stream_of(descriptor):
    status = os.fstat(descriptor)
    return f"{status.st_dev}:{status.st_ino}"


def run_with_stderr(path, stream):
    """What the program writes to its end, where stderr is a pipe and JOURNAL_STREAM says `stream`."""
    ours, its = os.pipe()
    variables = environment(JOURNAL_STREAM=stream(its))
    process = subprocess.Popen([binary(), "run", "-c", path], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=its, env=variables)
    os.close(its)
    pipe = os.fdopen(ours, "rb")
    lines = Lines(pipe)
    return process, lines, pipe


@pytest.mark.parametrize("form", ["json", "text"])
def test_lines_to_the_journal_begin_with_their_priority(directory, upstream, form):
    config = directory / "onceproxy.yaml"
    config.write_text(yaml.safe_dump(settings(
        upstream.address, directory / "data", [policy()], log={"format": form})))
    process, lines, pipe = run_with_stderr(config, stream_of)
    lines.wait_for_text(r"ready\b.*workers")
    config.write_text("listen: []\n")
    process.send_signal(signal.SIGHUP)
    lines.wait_for_text(r"^<3>")
    process.terminate()
    assert process.wait(PATIENCE) == 0
    lines.finish()
    pipe.close()
    for line in lines.all():
        level = {"error": "<3>", "warn": "<4>", "info": "<6>"}[
            next(word for word in ("error", "warn", "info") if f'"{word}"' in line
                 or f" {word} " in line)]
        assert line.startswith(level), line


def test_a_refused_configuration_is_an_error_in_the_journal_line_by_line(directory):
    config = directory / "onceproxy.yaml"
    config.write_text("log: {format: text}\nlisen: x\n")
    process, lines, pipe = run_with_stderr(config, stream_of)
    assert process.wait(PATIENCE) == 1
    lines.finish()
    pipe.close()
    assert len(lines.all()) > 2
    assert all(line.startswith("<3>") for line in lines.all()), lines.text()


def test_lines_elsewhere_have_no_priority(directory):
    config = directory / "onceproxy.yaml"
    config.write_text("lisen: x\n")
    process, lines, pipe = run_with_stderr(config, lambda _: "1:1")
    assert process.wait(PATIENCE) == 1
    lines.finish()
    pipe.close()
    assert all(line.startswith("{") for line in lines.all()), lines.text()

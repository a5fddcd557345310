"""`onceproxy health` and `onceproxy drain`, which a container's probes and hooks run."""

import socket
import threading
import time

import pytest
import yaml

from harness import Client, eventually, policy, request
from harness.certificates import Authority
from harness.client import BrokenOff, once
from harness.process import run
from harness.upstream import executed


def text(address):
    host, port = address
    return host if port is None else f"{host}:{port}"


def told_to(proxy, directory, **changes):
    """The configuration with the ports that the system chose, as a container's has them."""
    config = {name: value for name, value in {**proxy.settings, **changes}.items()
              if value is not None}
    for name in ("admin", "telemetry"):
        if name in config and name not in changes:
            config[name] = {**config[name], "listen": text(proxy.listeners[name])}
    path = directory / "named-ports.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def health(*arguments, **options):
    result = run("health", *arguments, **options)
    return result.returncode, (result.stdout + result.stderr).strip()


def test_a_ready_program_is_healthy(proxy, directory):
    config = told_to(proxy, directory)
    for where in (["--telemetry", text(proxy.telemetry)], ["--admin", text(proxy.admin)],
                  ["-c", config]):
        assert health(*where) == (0, "LIVE"), where
        assert health("--live", *where) == (0, "LIVE"), where


def test_one_that_is_not_ready_is_unhealthy_and_alive(proxy):
    where = "--telemetry", text(proxy.telemetry)
    proxy.operator.post("/healthcheck/fail")
    assert health(*where) == (1, "onceproxy: not ready: health check failed by an operator")
    assert health("--live", *where) == (0, "LIVE")
    proxy.operator.post("/healthcheck/ok")
    assert health(*where) == (0, "LIVE")


def test_without_a_program_the_probe_fails(directory):
    code, told = health("--admin", f"unix:{directory}/nobody")
    assert code == 1 and "cannot connect" in told
    code, told = health("-c", directory / "none.yaml")
    assert code == 1 and "none.yaml" in told


def test_a_program_that_does_not_answer_fails_the_probe_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        code, told = health("--telemetry", text(silent.getsockname()), "--timeout", "200ms")
        assert code == 1 and "took too long" in told
        assert time.monotonic() - begun < 20


def test_probes_go_over_a_unix_socket(stage, upstream, directory):
    proxy = stage.proxy(upstream, admin={"listen": f"unix:{directory}/admin"})
    assert health("--admin", f"unix:{directory}/admin") == (0, "LIVE")
    assert health("-c", told_to(proxy, directory, telemetry=None)) == (0, "LIVE")


def test_probes_go_through_tls_and_bring_the_token(stage, upstream, directory):
    authority = Authority()
    certificate, key = authority.issue().write(directory, "tls")
    tls = {"certificate": certificate, "key": key}
    token = directory / "token"
    token.write_text("a-token-of-the-test-0123456789abcdef\n")
    proxy = stage.proxy(upstream, admin={
        "listen": {"address": "127.0.0.1:0", "tls": tls}, "token_file": str(token)})
    trusted = ["--ca", authority.write_ca(directory), "--server-name", "localhost"]
    admin = ["--admin", text(proxy.admin), *trusted]
    assert health(*admin)[0] == 1, "without the token"
    assert health(*admin, "--token-file", token) == (0, "LIVE")
    listen = {"address": text(proxy.admin), "tls": tls}
    config = told_to(proxy, directory, telemetry=None,
                     admin={"listen": listen, "token_file": str(token)})
    assert health("-c", config, *trusted) == (0, "LIVE")
    code, told = health("-c", config)
    assert code == 1 and "speaks TLS: give --ca FILE" in told
    assert run("drain", "--wait", "--grace", "0s", "-c", config, *trusted).returncode == 0
    assert proxy.terminate() == 0


@pytest.mark.parametrize("text", ["policiez: []\n", "upstream: [\n", "limits: {of_tomorrow: 1}\n"],
                         ids=["misspelt", "no YAML", "a key of a later version"])
def test_a_file_that_was_refused_ends_no_program_that_works(proxy, directory, text):
    """The program keeps the configuration that it has, and the probes and the hook agree with it."""
    config = told_to(proxy, directory)
    config.write_text(config.read_text().replace("upstream:", "other:", 1) + text)
    assert run("check", config).returncode == 1
    for more in ([], ["--live"]):
        assert health("-c", config, *more) == (0, "LIVE")
    drained = run("drain", "--wait", "--grace", "0s", "-c", config)
    assert (drained.returncode, drained.stdout) == (0, "drained\n")
    assert proxy.operator.get("/server_info")["drained"] is True


@pytest.mark.parametrize("words", [["--admin", "unix:{}/nobody"], ["-c", "{}/none.yaml"]],
                         ids=["nobody there", "no file"])
def test_a_drain_that_reaches_nobody_waits_for_the_grace_before_it_fails(directory, words):
    """SIGTERM follows a hook that has ended, and clients still come."""
    begun = time.monotonic()
    result = run("drain", "--wait", "--grace", "700ms", *(word.format(directory) for word in words))
    assert result.returncode == 1 and result.stderr
    assert time.monotonic() - begun >= 0.7


def test_a_port_that_the_system_chooses_is_not_found_by_the_configuration(proxy):
    code, told = health("-c", proxy.config)
    assert code == 1 and "the system chooses this port at each start" in told


@pytest.mark.parametrize("words", [["--timeout", "1"], ["--telemetry", "here"],
                                   ["--telemetry", "a:1", "--admin", "b:1"]])
def test_bad_arguments_are_no_health(words):
    assert health(*words)[0] == 1


class Draining:
    """`onceproxy drain`, on a thread of its own."""

    def __init__(self, proxy, *arguments):
        self.result = None
        self._thread = threading.Thread(target=self._run, args=(
            "drain", "--admin", text(proxy.admin), *arguments))
        self._thread.start()

    def _run(self, *words):
        self.result = run(*words)

    def wait(self):
        self._thread.join()
        return self.result.returncode, (self.result.stdout + self.result.stderr).strip()


@pytest.fixture
def held_up(stage):
    """An upstream that answers what is not quick when the event is set."""
    finish = threading.Event()

    def slow(exchange):
        if not (exchange.request["idempotency-key"] or "").startswith("quick"):
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(slow)
    yield stage.proxy(upstream), upstream, finish
    finish.set()


def refused(proxy):
    try:
        return once(proxy.data, request(key="quick-new")).status == 503
    except (ConnectionError, BrokenOff):
        return True


def not_ready(proxy):
    return health("--telemetry", text(proxy.telemetry))[0] == 1


def test_a_drain_fails_readiness_accepts_for_the_grace_and_waits_for_what_is_under_way(held_up):
    proxy, upstream, finish = held_up
    with Client(proxy.data) as client, Client(proxy.data) as idle:
        assert idle.call(key="quick").status == 200
        client.send(request(key="a"))
        upstream.wait_for_requests(2)
        draining = Draining(proxy, "--wait", "--grace", "3s")
        eventually(lambda: not_ready(proxy), "readiness fails")
        assert once(proxy.data, request(key="quick-in-grace")).status == 200
        eventually(lambda: refused(proxy), "new connections are refused")
        assert idle.ends() == b""
        assert draining.result is None, "it waits for what is under way"
        assert health("--live", "--telemetry", text(proxy.telemetry)) == (0, "LIVE")
        finish.set()
        assert client.read("POST").status == 200
    assert draining.wait() == (0, "drained")
    assert proxy.operator.get("/server_info")["drained"] is True
    assert health("--live", "--telemetry", text(proxy.telemetry)) == (0, "LIVE")
    assert proxy.terminate() == 0


def test_a_drain_that_is_not_done_in_time_says_so_and_ends_nothing(held_up):
    proxy, upstream, finish = held_up
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
        code, told = Draining(proxy, "--wait", "--grace", "0s", "--timeout", "300ms").wait()
        assert (code, told) == (
            1, "onceproxy: not drained within 300ms; connections that are still open: 1")
        finish.set()
        assert client.read("POST").status == 200
    assert proxy.terminate() == 0


def test_sigterm_during_a_drain_ends_in_order(held_up):
    proxy, upstream, finish = held_up
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
        draining = Draining(proxy, "--wait", "--grace", "0s")
        eventually(lambda: refused(proxy), "new connections are refused")
        proxy.begin_drain()
        assert proxy.stderr.wait_for(lambda line: line.get("message") == "draining", "draining")
        assert health("--live", "--telemetry", text(proxy.telemetry)) == (0, "LIVE")
        finish.set()
        assert client.read("POST").status == 200
    assert proxy.wait() == 0
    draining.wait()
    proxy.restart()
    assert once(proxy.data, request(key="a")).decision == "replayed"


def test_a_configuration_is_still_reloaded_after_a_drain(stage, upstream):
    proxy = stage.proxy(upstream)
    assert Draining(proxy, "--wait", "--grace", "0s").wait()[0] == 0
    proxy.configure({**proxy.settings, "policies": [policy(window="1h")]})
    assert proxy.operator.post("/reload")[0] == 200
    assert proxy.terminate() == 0


def test_a_drain_without_wait_returns_when_nothing_new_is_accepted(held_up):
    proxy, upstream, finish = held_up
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
        assert Draining(proxy, "--grace", "0s").wait() == (0, "")
        eventually(lambda: refused(proxy), "new connections are refused")
        finish.set()
        assert client.read("POST").status == 200
    assert proxy.terminate() == 0


def test_a_drain_without_a_program_fails(directory):
    result = run("drain", "--wait", "--admin", f"unix:{directory}/nobody")
    assert result.returncode == 1 and "cannot connect" in result.stderr

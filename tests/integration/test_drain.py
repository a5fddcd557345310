"""SIGTERM: requests under way are finished, no new ones are accepted, and the exit code is 0."""

import os
import signal
import threading
import urllib.error
import urllib.request

import pytest

from harness import Client, eventually, policy, request
from harness.client import BrokenOff, once
from harness.threads import WAIT_ALL, halt, named, resume
from harness.upstream import executed


@pytest.fixture
def held_up(stage):
    """An upstream that answers when the event is set, and a proxy in front of it."""
    finish = threading.Event()

    def slow(exchange):
        if not (exchange.request["idempotency-key"] or "").startswith("quick"):
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(slow)
    yield stage, upstream, finish
    finish.set()


def draining(proxy):
    proxy.begin_drain()
    assert proxy.stderr.wait_for(lambda line: line.get("message") == "draining", "draining")


def refused(proxy):
    """Whether a new connection is no longer served. It may be for a moment, until all listeners are
    closed."""
    try:
        return once(proxy.data, request(key="quick-new")).status == 503
    except (ConnectionError, BrokenOff):
        return True


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_a_request_under_way_finishes(held_up, target):
    stage, upstream, finish = held_up
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client, Client(proxy.data) as idle:
        assert idle.call(key="quick").status == 200
        client.send(request(key="a", target=target))
        upstream.wait_for_requests(2)
        draining(proxy)
        eventually(lambda: refused(proxy), "new connections are refused")
        assert idle.ends() == b"", "idle connections are closed"
        finish.set()
        answer = client.read("POST")
        assert answer.status == 200
        assert answer.closes
        assert client.ends() == b""
    assert proxy.wait() == 0
    proxy.restart()
    if target == "/orders":
        assert once(proxy.data, request(key="a")).decision == "replayed"


def test_a_request_that_has_arrived_on_an_idle_connection_is_answered(stage, upstream):
    proxy = stage.proxy(upstream, workers=1)
    with Client(proxy.data) as client:
        assert client.call(key="a").status == 200
        worker = named(proxy.process.pid, "worker")[0]
        halt(worker)
        # The kernel has the request, and the worker hears of the drain first or together with it.
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.stderr.wait_for(lambda line: line.get("message") == "draining", "draining")
        client.send(request(key="b"))
        resume(worker)
        answer = client.read("POST")
        assert answer.status == 200 and answer.closes
    assert proxy.wait() == 0


def test_a_drain_with_nothing_under_way_is_quick(proxy):
    assert once(proxy.data, request(key="a")).status == 200
    assert proxy.terminate() == 0


def test_an_operation_whose_client_left_is_finished_too(held_up):
    stage, upstream, finish = held_up
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
    draining(proxy)
    finish.set()
    assert proxy.wait() == 0
    proxy.restart()
    answer = once(proxy.data, request(key="a"))
    assert (answer.decision, answer.json) == ("replayed", {"execution": 1})


def test_requests_that_exceed_the_drain_time_have_an_unknown_outcome(held_up):
    stage, upstream, finish = held_up
    proxy = stage.proxy(upstream, [policy(lease="60s")], arguments=["--drain-time", "1s"])
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
        assert proxy.terminate() == 0
        client.ends()
    finish.set()
    proxy.restart()
    answer = once(proxy.data, request(key="a"))
    assert (answer.decision, answer.problem) == ("held", "outcome-unknown")
    assert upstream.executions["a"] == 1


def test_ready_says_no_while_draining_and_live_says_yes(held_up):
    stage, upstream, finish = held_up
    proxy = stage.proxy(upstream)

    def status(path):
        host, port = proxy.telemetry
        try:
            return urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=30).status
        except urllib.error.HTTPError as error:
            return error.code

    assert (status("/ready"), status("/live")) == (200, 200)
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
        draining(proxy)
        eventually(lambda: status("/ready") == 503, "not ready any more")
        assert status("/live") == 200
        finish.set()
        client.ends()
    assert proxy.wait() == 0


def test_a_process_whose_threads_hang_ends_all_the_same(stage, upstream):
    """Exit code 0, a word in the log, and nothing lost that was promised."""
    proxy = stage.proxy(upstream, arguments=["--drain-time", "1s"])
    assert once(proxy.data, request(key="a")).decision == "forwarded"
    threads = [int(name) for name in os.listdir(f"/proc/{proxy.process.pid}/task")]
    stopped = [thread for thread in threads if thread != proxy.process.pid]
    for thread in stopped:
        halt(thread)
    proxy.process.send_signal(signal.SIGTERM)
    for thread in stopped:
        os.waitpid(thread, WAIT_ALL)  # its end: the kernel keeps a process with traced threads
    assert proxy.wait() == 0
    assert "the end takes too long" in proxy.stderr.text()
    proxy.restart()
    assert once(proxy.data, request(key="a")).decision == "replayed"

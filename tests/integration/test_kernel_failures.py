"""Failures of the kernel: no descriptor for a new connection, no memory for a send, short writes."""

import pytest

from harness import Client, eventually, policy, request
from harness.client import BrokenOff, once
from harness.faults import Faults

BODY = bytes(range(256)) * 256


@pytest.fixture
def faulty(stage, directory):
    """Makes a proxy in front of `target` whose system calls can fail, and what makes them fail."""

    def make(target, policies=None, **more):
        faults = Faults(directory, directory / "no-such-disk")
        return stage.proxy(target, policies, variables=faults.variables, **more), faults

    return make


def test_connections_that_find_no_descriptor_are_accepted_once_there_is_one(stage, faulty):
    proxy, faults = faulty(stage.upstream())
    faults.set(accepts_to_fail=20)
    answer = once(proxy.data, request(key="a"))
    assert answer.decision == "forwarded"
    assert faults.get("failed") >= 20
    text = proxy.stderr.text()
    assert "cannot accept connections" in text and "Too many open files" in text
    assert proxy.metrics().sum("onceproxy_accept_errors_total") >= 1


def test_writes_of_a_few_bytes_at_a_time_lose_nothing(stage, faulty):
    """Towards the service and back, of heads and of bodies."""
    upstream = stage.upstream(lambda exchange: exchange.answer(200, exchange.request.body))
    proxy, faults = faulty(upstream, [policy()])
    faults.set(send_bytes_max=97)
    first = once(proxy.data, request(key="a", body=BODY))
    again = once(proxy.data, request(key="a", body=BODY))
    passed = once(proxy.data, request("POST", "/elsewhere", key="b", body=BODY))
    # Asio, which serves the other ports, takes a short write to mean that the kernel has no room.
    faults.set(send_bytes_max=0)
    assert [first.decision, again.decision] == ["forwarded", "replayed"]
    assert first.body == again.body == passed.body == BODY
    assert [seen.body for seen in upstream.requests] == [BODY, BODY]


def test_an_answer_that_the_kernel_has_no_memory_for_is_kept_for_the_retry(stage, faulty):
    upstream = stage.upstream()
    proxy, faults = faulty(upstream, [policy()])
    # A connection to the service that is kept, so that the next send there is of a request.
    assert once(proxy.data, request(key="warm")).decision == "forwarded"

    def answered(exchange):
        faults.set(sends_to_fail=1)
        exchange.answer(200, {"execution": exchange.execution})

    upstream.handler = answered
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        with pytest.raises(BrokenOff):
            client.read("POST")
    eventually(lambda: faults.get("failed") == 1, "the send that fails")
    again = once(proxy.data, request(key="a"))
    assert (again.decision, again.json) == ("replayed", {"execution": 2})
    assert upstream.executions["a"] == 1


def test_a_request_that_the_kernel_has_no_memory_for_was_not_sent(stage, faulty):
    upstream = stage.upstream()
    proxy, faults = faulty(upstream, [policy()])
    assert once(proxy.data, request(key="warm")).decision == "forwarded"
    faults.set(sends_to_fail=1)
    answer = once(proxy.data, request(key="a"))
    # Sent again over another connection, or refused with nothing sent: never twice, and never unknown.
    assert answer.status in (200, 502)
    if answer.status == 502:
        answer = once(proxy.data, request(key="a"))
    assert answer.decision == "forwarded"
    assert upstream.executions["a"] == 1


def test_a_request_of_which_some_bytes_left_is_in_doubt(stage, faulty):
    upstream = stage.upstream()
    proxy, faults = faulty(upstream, [policy()],
                           upstream={"address": upstream.address, "response_timeout": "2s"})
    with Client(proxy.data) as client:
        assert client.call(key="warm").decision == "forwarded"
        faults.set(send_to_cut=40)
        assert client.call(key="a").decision == "upstream-error"
        assert faults.get("failed") >= 1
        assert client.call(key="a").decision == "held"

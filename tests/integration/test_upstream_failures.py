"""Failures of the service: certain outcomes are reported, unknown ones are held, and nothing is sent
twice."""

import threading

import pytest

from harness import Client, crowd, eventually, policy, request
from harness.client import BrokenOff, once
from harness.upstream import executed, executed_after


def send(proxy, key="a", **kwargs):
    return once(proxy.data, request(key=key, body={"n": 1}, **kwargs))


def check_held(answer, lease):
    assert (answer.status, answer.decision, answer.problem) == (409, "held", "outcome-unknown")
    assert 1 <= int(answer["retry-after"]) <= lease


def test_an_upstream_that_is_down_leaves_the_key_free(stage):
    upstream = stage.upstream(listening=False)
    proxy = stage.proxy(upstream)
    for _ in range(2):
        answer = send(proxy)
        assert (answer.status, answer.decision) == (502, "upstream-error")
        assert answer.problem == "upstream-unreachable"
    upstream.listen()
    assert send(proxy).decision == "forwarded"
    assert send(proxy).decision == "replayed"
    assert upstream.executions["a"] == 1


def test_an_upstream_that_goes_down_and_comes_back_serves_the_same_key(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    assert send(proxy, "before").decision == "forwarded"
    upstream.go_down()
    assert send(proxy, "during").decision == "upstream-error"
    upstream.listen()
    assert send(proxy, "during").decision == "forwarded"
    assert upstream.executions["during"] == 1


def test_an_uncovered_request_to_an_upstream_that_is_down_gets_502(stage):
    proxy = stage.proxy(stage.upstream(listening=False))
    answer = send(proxy, target="/uncovered")
    assert (answer.status, answer.problem) == (502, "upstream-unreachable")


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_an_upload_that_is_not_read_is_answered_before_its_end(stage, framing):
    proxy = stage.proxy(stage.upstream(listening=False))
    with Client(proxy.data) as client:
        client.send(f"POST /uncovered HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n5\r\n".encode())
        answer = client.read()
        assert (answer.status, answer.problem) == (502, "upstream-unreachable")
        assert client.ends() == b""
    assert proxy.terminate() == 0


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_connection_lost_after_the_request_is_an_unknown_outcome(stage, end):
    def lost(exchange):
        getattr(exchange.connection, end)()

    upstream = stage.upstream(lost)
    proxy = stage.proxy(upstream, [policy(lease="60s")])
    first = send(proxy)
    assert (first.status, first.decision) == (502, "upstream-error")
    assert first.problem == "upstream-unreachable"
    for _ in range(5):
        check_held(send(proxy), lease=60)
    assert upstream.executions["a"] == 1
    assert len(upstream.connections) == 1


def test_an_unknown_outcome_may_be_tried_again_after_its_lease(stage):
    def first_lost(exchange):
        if exchange.execution == 1:
            exchange.connection.reset()
        else:
            executed(exchange)

    upstream = stage.upstream(first_lost)
    proxy = stage.proxy(upstream, [policy(lease="2s")])
    assert send(proxy).decision == "upstream-error"
    check_held(send(proxy), lease=2)

    def retried():
        answer = send(proxy)
        return answer if answer.decision != "held" else None

    assert eventually(retried, "the lease's end", within=20).decision == "forwarded"
    assert send(proxy).decision == "replayed"
    assert upstream.executions["a"] == 2
    fences = [int(r["onceproxy-fence"]) for r in upstream.requests]
    assert fences[1] > fences[0]
    eventually(lambda: proxy.metrics().sum("onceproxy_leases_expired_total", policy="orders") == 1,
               "the lease is counted")


def test_an_unknown_outcome_is_held_for_an_operator_where_the_policy_says_so(stage):
    upstream = stage.upstream(lambda exchange: exchange.connection.reset())
    proxy = stage.proxy(upstream, [policy(lease="500ms", outcome={"unknown": "hold"})])
    assert send(proxy).decision == "upstream-error"
    # An operator ends it, not the lease: an hour, whatever the lease.
    eventually(lambda: send(proxy)["retry-after"] == "3600", "the hold", within=20)
    check_held(send(proxy), lease=3600)
    assert upstream.executions["a"] == 1


def test_a_slow_upstream_times_out_and_its_late_answer_reaches_no_client(stage):
    finish = threading.Event()

    def late(exchange):
        if exchange.request["idempotency-key"] == "slow":
            finish.wait()
            exchange.answer(200, b"the late answer")
        else:
            executed(exchange)

    upstream = stage.upstream(late)
    proxy = stage.proxy(upstream, [policy(lease="60s")], upstream={"response_timeout": "1s"})
    answer = send(proxy, "slow")
    assert (answer.status, answer.decision) == (504, "upstream-error")
    assert answer.problem == "upstream-timeout"
    finish.set()
    for n in range(20):
        answer = send(proxy, f"other-{n}")
        assert answer.decision == "forwarded" and b"late" not in answer.body
    check_held(send(proxy, "slow"), lease=60)
    assert upstream.executions["slow"] == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_answer_that_breaks_off_is_not_stored(stage, framing):
    def broken(exchange):
        head = {"length": b"Content-Length: 100\r\n\r\nhalf",
                "chunked": b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"}[framing]
        exchange.send(b"HTTP/1.1 200 OK\r\n" + head)
        exchange.connection.close()

    upstream = stage.upstream(broken)
    proxy = stage.proxy(upstream, [policy(lease="60s")])
    try:
        answer = send(proxy)
        assert answer.status == 502
        assert b"half" not in answer.body
    except BrokenOff:
        pass  # it had begun to reach the client, and was seen to be broken off
    check_held(send(proxy), lease=60)
    assert upstream.executions["a"] == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_streamed_answer_that_breaks_off_is_seen_to_be_broken(stage, framing):
    def broken(exchange):
        head = {"length": b"Content-Length: 100\r\n\r\nhalf",
                "chunked": b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"}[framing]
        exchange.send(b"HTTP/1.1 200 OK\r\n" + head)
        exchange.connection.close()

    proxy = stage.proxy(stage.upstream(broken))
    with pytest.raises(BrokenOff) as broken_off:
        send(proxy, target="/uncovered")
    assert not broken_off.value.data.endswith(b"0\r\n\r\n")


def test_an_answer_too_large_to_keep_that_breaks_off_is_never_executed_again(stage):
    """It was completed as not replayable before its body was streamed on."""
    def broken(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000)
        exchange.connection.close()

    upstream = stage.upstream(broken)
    proxy = stage.proxy(upstream, [policy(lease="1s", replay={"max_body": "1KiB"})])
    with pytest.raises(BrokenOff):
        send(proxy)
    again = send(proxy)
    assert again.decision in ("not-replayable", "held")
    assert upstream.executions["a"] == 1


def test_an_answer_until_close_is_stored_whole(stage):
    def until_close(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nall of it")
        exchange.connection.close()

    upstream = stage.upstream(until_close)
    proxy = stage.proxy(upstream)
    assert send(proxy).body == b"all of it"
    again = send(proxy)
    assert (again.decision, again.body) == ("replayed", b"all of it")


def test_a_client_that_leaves_does_not_stop_its_operation(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as impatient:
        impatient.send(request(key="a", body={"n": 1}))
        upstream.wait_for_requests(1)
    assert send(proxy).decision == "in-flight"
    finish.set()

    def recorded():
        answer = send(proxy)
        return answer if answer.decision != "in-flight" else None

    answer = eventually(recorded, "the result is recorded")
    assert (answer.decision, answer.json) == ("replayed", {"execution": 1})
    assert upstream.executions["a"] == 1


def test_a_client_that_leaves_within_its_body_reserves_nothing(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(request(key="a", body={"n": 1})[:-1])
    assert send(proxy).decision == "forwarded"
    assert upstream.executions["a"] == 1


def test_an_idle_connection_that_the_upstream_closed_is_not_used(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    for n in range(10):
        assert send(proxy, f"key-{n}").decision == "forwarded"
        for connection in upstream.connections:
            connection.close()
    assert set(upstream.executions.values()) == {1}


def test_answers_are_never_mixed_up_between_clients(stage):
    """Each answer names the key it is for, under concurrency, timeouts and broken connections."""
    def named(exchange):
        key = exchange.request["idempotency-key"]
        number = int(key)
        if number % 7 == 0:
            exchange.connection.reset()
        elif number % 11 == 0:
            exchange.answer(200, key, {"Connection": "close"})
            exchange.connection.close()
        else:
            exchange.answer(200, key)

    upstream = stage.upstream(named)
    proxy = stage.proxy(upstream, [policy(lease="60s")])
    for begin in range(0, 400, 100):
        keys = [str(n) for n in range(begin, begin + 100)]
        for key, answer in zip(keys, crowd(proxy.data, [request(key=k) for k in keys])):
            if answer.status == 200:
                assert answer.body == key.encode()
            else:
                assert (answer.status, int(key) % 7) == (502, 0)
    assert set(upstream.executions.values()) == {1}

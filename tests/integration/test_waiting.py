"""Duplicates that wait get the answer of the first request as soon as it exists. If the first request fails,
exactly one of them takes over."""

import threading

import pytest

from harness import Client, crowd, eventually, policy, request
from harness.client import once
from harness.upstream import executed, executed_after

WAIT = {"action": "wait", "timeout": "30s"}


def alert(number=1):
    return request(key=f"alert-{number}", body={"n": number})


def test_ten_equal_alerts_at_once_are_one_forward_and_nine_replays(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream, [policy(in_flight=WAIT)])
    finisher = threading.Thread(target=lambda: (upstream.wait_for_requests(1), finish.set()))
    finisher.start()
    answers = crowd(proxy.data, [alert()] * 10)
    finisher.join()
    assert sorted(answer.decision for answer in answers) == ["forwarded"] + ["replayed"] * 9
    assert {(answer.status, answer.body) for answer in answers} == {(200, b'{"execution": 1}')}
    assert upstream.executions == {"alert-1": 1}


def test_fifty_requests_over_five_fingerprints_are_five_forwards(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, [policy(in_flight=WAIT)])
    answers = crowd(proxy.data, [alert(n % 5) for n in range(50)])
    assert [answer.status for answer in answers] == [200] * 50
    assert upstream.executions == {f"alert-{n}": 1 for n in range(5)}


def test_waiting_requests_delay_no_others(stage):
    finish = threading.Event()

    def handler(exchange):
        if exchange.request["idempotency-key"] == "alert-1":
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(handler)
    proxy = stage.proxy(upstream, [policy(in_flight=WAIT)])
    with Client(proxy.data) as first, Client(proxy.data) as second:
        for client in (first, second):
            client.send(alert())
        upstream.wait_for_requests(1)
        others = crowd(proxy.data, [alert(n) for n in range(2, 30)])
        assert {answer.decision for answer in others} == {"forwarded"}
        finish.set()
        decisions = sorted(client.read("POST").decision for client in (first, second))
    assert decisions == ["forwarded", "replayed"]


def test_when_the_first_fails_exactly_one_takes_over(stage):
    """Each execution but the last fails and is released; all the others go on waiting meanwhile."""
    clients = 8
    inside = threading.Semaphore(1)
    overlaps = []

    def waiting():
        return stage.proxies[0].metrics().sum("onceproxy_store_waiting")

    def handler(exchange):
        if not inside.acquire(blocking=False):
            overlaps.append(exchange.execution)
        else:
            # Until all the others are seen to wait: a second one would be here by then.
            left = clients - exchange.execution
            eventually(lambda: overlaps or waiting() == left, f"{left} that wait")
            inside.release()
        failed = exchange.execution < clients
        exchange.answer(503 if failed else 200, {"execution": exchange.execution})

    upstream = stage.upstream(handler)
    proxy = stage.proxy(upstream, [policy(in_flight=WAIT)])
    answers = crowd(proxy.data, [alert()] * clients)
    assert not overlaps
    # Everybody has an answer of the upstream's own: each a failure, until there was a success.
    assert {answer.decision for answer in answers} <= {"forwarded", "replayed"}
    assert upstream.executions["alert-1"] == sum(a.decision == "forwarded" for a in answers)
    bodies = [answer.json["execution"] for answer in answers if answer.decision == "forwarded"]
    assert sorted(bodies) == list(range(1, len(bodies) + 1))


def test_a_wait_that_takes_too_long_ends_with_in_flight(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream, [policy(in_flight={"action": "wait", "timeout": "200ms"})])
    with Client(proxy.data) as first:
        first.send(alert())
        upstream.wait_for_requests(1)
        answer = once(proxy.data, alert())
        assert (answer.status, answer.decision, answer.problem) == (409, "in-flight", "in-flight")
        assert answer["retry-after"] == "1"
        finish.set()
        assert first.read("POST").decision == "forwarded"
    assert upstream.executions["alert-1"] == 1


def test_another_payload_does_not_wait(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream, [policy(in_flight=WAIT)])
    with Client(proxy.data) as first:
        first.send(request(key="a", body={"n": 1}))
        upstream.wait_for_requests(1)
        assert once(proxy.data, request(key="a", body={"n": 2})).decision == "mismatch"
        finish.set()
        assert first.read("POST").status == 200


def test_waiting_for_an_unknown_outcome_ends_with_held(stage):
    """The upstream breaks off: the operation may have happened, and nobody is let in."""
    broken = threading.Event()

    def handler(exchange):
        broken.wait(60)
        exchange.connection.close()

    upstream = stage.upstream(handler)
    proxy = stage.proxy(upstream, [policy(in_flight=WAIT, lease="60s")])
    with Client(proxy.data) as first:
        first.send(alert())
        upstream.wait_for_requests(1)
        waiting = [Client(proxy.data) for _ in range(5)]
        for client in waiting:
            client.send(alert())
        broken.set()
        assert first.read("POST").status == 502
        for client in waiting:
            assert client.read("POST").decision == "held"
            client.close()
    assert upstream.executions["alert-1"] == 1


def test_waiting_requests_end_when_the_program_drains(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream, [policy(in_flight=WAIT)])
    with Client(proxy.data) as first, Client(proxy.data) as second:
        first.send(alert())
        upstream.wait_for_requests(1)
        second.send(alert())
        eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="client") == 2,
                   "both connections")
        proxy.begin_drain()
        finish.set()
        assert first.read("POST").decision == "forwarded"
        assert second.read("POST").decision in ("replayed", "in-flight")
        assert proxy.wait() == 0


def test_acknowledged_duplicates_get_202(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream, [policy(in_flight={"action": "acknowledge"})])
    with Client(proxy.data) as first:
        first.send(alert())
        upstream.wait_for_requests(1)
        answers = crowd(proxy.data, [alert()] * 9)
        finish.set()
        assert first.read("POST").decision == "forwarded"
    for answer in answers:
        assert (answer.status, answer.decision) == (202, "acknowledged")
        assert answer.json == {"status": "accepted", "reason": "in-flight"}
    assert upstream.executions["alert-1"] == 1


@pytest.mark.parametrize("action", ["reject", "wait", "acknowledge"])
def test_a_released_reservation_admits_the_next_at_once(stage, action):
    upstream = stage.upstream(
        lambda exchange: exchange.answer(503 if exchange.execution == 1 else 200, {"n": 1}))
    proxy = stage.proxy(upstream, [policy(in_flight={"action": action})])
    first = once(proxy.data, alert())
    second = once(proxy.data, alert())
    assert (first.status, first.decision) == (503, "forwarded")
    assert (second.status, second.decision) == (200, "forwarded")

"""Entities: requests are forwarded one at a time and in order, stale ones are not forwarded, and nothing is
forwarded while the entity is closed."""

import random
import threading
import time

from harness import Client, crowd, eventually, request
from harness.client import once
from harness.upstream import executed, executed_after


def rides(**changes):
    """Dispatch and decline of a ride, as policies."""
    entity = {"type": "ride", "id": [{"path": "ride"}], "wait": "30s", "unless_closed": True}
    dispatch = {
        "name": "dispatch",
        "match": {"methods": ["POST"], "path": "/rides/{ride}/dispatch"},
        "fingerprint": [{"path": "ride"}, {"body": "/driver"}],
        "scope": "shared",
        "entity": {**entity, **changes},
    }
    decline = {
        "name": "decline",
        "match": {"methods": ["POST"], "path": "/rides/{ride}/decline"},
        "fingerprint": [{"path": "ride"}, {"body": "/reason", "default": ""}],
        "scope": "shared",
        "in_flight": {"action": "wait", "timeout": "30s"},
        "entity": {**entity, "closes": "1h", **changes},
    }
    return [dispatch, decline]


def locations(**changes):
    entity = {"type": "job", "id": [{"body": "/job"}], "wait": "30s",
              "sequence": {"body": "/sequence"}}
    return [{
        "name": "locations",
        "match": {"methods": ["POST"], "path": "/locations"},
        "fingerprint": [{"body": "/job"}, {"body": "/sequence"}],
        "scope": "shared",
        "entity": {**entity, **changes},
    }]


def dispatch(ride, driver="d1"):
    return request(target=f"/rides/{ride}/dispatch", body={"driver": driver})


def decline(ride, **body):
    return request(target=f"/rides/{ride}/decline", body=body)


def location(job, sequence):
    return request(target="/locations", body={"job": job, "sequence": sequence})


def wait_until_queued(proxy, entity, count=1):
    """Waits until so many wait for the turn of `entity`."""
    eventually(lambda: proxy.operator.get(f"/entities/{entity}")["waiting"] == count,
               f"{count} in the queue of {entity}")


def by_target(request_):
    return request_.target


def test_one_at_a_time_and_in_order_of_arrival(stage):
    first_may_end = threading.Event()
    inside, overlaps = threading.Semaphore(1), []

    def handler(exchange):
        if not inside.acquire(blocking=False):
            overlaps.append(exchange.request.target)
        else:
            if exchange.execution == 1:
                first_may_end.wait(60)
            # Until all that came later are seen to wait: a second one would be here by then.
            left = 8 - exchange.execution
            eventually(lambda: overlaps or waiting_for("ride/r1") == left, f"{left} that wait")
            inside.release()
        executed(exchange)

    def waiting_for(entity):
        return proxy.operator.get(f"/entities/{entity}")["waiting"]

    upstream = stage.upstream(handler, key=by_target)
    proxy = stage.proxy(upstream, rides())
    clients = []
    for number in range(8):
        client = Client(proxy.data)
        client.send(dispatch("r1", f"d{number}"))
        if number == 0:
            upstream.wait_for_requests(1)
        else:
            wait_until_queued(proxy, "ride/r1", number)
        clients.append(client)
    # Another ride does not wait for this one, and each of the eight gets its own answer.
    first_may_end.set()
    assert [client.read("POST").json["execution"] for client in clients] == list(range(1, 9))
    assert not overlaps
    for client in clients:
        client.close()
    waited = proxy.metrics().sum("onceproxy_entity_wait_seconds_count", policy="dispatch")
    assert waited == 8


def test_another_entity_does_not_wait(stage):
    finish = threading.Event()

    def handler(exchange):
        if "/r1/" in exchange.request.target:
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(handler, key=by_target)
    proxy = stage.proxy(upstream, rides())
    with Client(proxy.data) as first:
        first.send(dispatch("r1"))
        upstream.wait_for_requests(1)
        answers = crowd(proxy.data, [dispatch(f"r{n}") for n in range(2, 30)])
        assert {answer.decision for answer in answers} == {"forwarded"}
        finish.set()
        assert first.read("POST").status == 200


def test_a_turn_that_does_not_come_in_time_is_busy(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish), key=by_target)
    proxy = stage.proxy(upstream, rides(wait="200ms"))
    with Client(proxy.data) as first:
        first.send(dispatch("r1"))
        upstream.wait_for_requests(1)
        answer = once(proxy.data, dispatch("r1", "d2"))
        assert (answer.status, answer.decision, answer.problem) == (503, "busy", "busy")
        assert answer["retry-after"] == "1"
        finish.set()
        assert first.read("POST").status == 200
    assert once(proxy.data, dispatch("r1", "d2")).decision == "forwarded"


def test_a_duplicate_of_a_completed_one_needs_no_turn(stage):
    finish = threading.Event()

    def handler(exchange):
        if exchange.execution == 2:
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(handler, key=by_target)
    proxy = stage.proxy(upstream, rides())
    assert once(proxy.data, dispatch("r1", "d1")).decision == "forwarded"
    with Client(proxy.data) as second:
        second.send(dispatch("r1", "d2"))
        upstream.wait_for_requests(2)
        assert once(proxy.data, dispatch("r1", "d1")).decision == "replayed"
        finish.set()
        assert second.read("POST").decision == "forwarded"


def test_dispatches_behind_a_decline_and_after_it_are_refused(stage):
    finish = threading.Event()

    def handler(exchange):
        if exchange.request.target.endswith("decline"):
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(handler, key=by_target)
    proxy = stage.proxy(upstream, rides())
    declining, queued = Client(proxy.data), Client(proxy.data)
    declining.send(decline("r1"))
    upstream.wait_for_requests(1)
    queued.send(dispatch("r1", "d2"))
    wait_until_queued(proxy, "ride/r1")
    finish.set()
    assert declining.read("POST").decision == "forwarded"
    for answer in (queued.read("POST"), once(proxy.data, dispatch("r1", "d3"))):
        assert (answer.status, answer.decision) == (200, "closed")
        assert answer.json == {"status": "ignored", "reason": "closed"}
    # What was done is still known.
    assert once(proxy.data, decline("r1")).decision == "replayed"
    assert upstream.executions == {"/rides/r1/decline": 1}
    declining.close()
    queued.close()


def test_a_decline_that_fails_closes_nothing(stage):
    upstream = stage.upstream(
        lambda exchange: exchange.answer(503 if exchange.execution == 1 else 200, {}))
    proxy = stage.proxy(upstream, rides())
    assert once(proxy.data, decline("r1")).status == 503
    assert once(proxy.data, dispatch("r1")).decision == "forwarded"


def test_an_entity_reopens_when_its_time_is_over(stage):
    upstream = stage.upstream()
    policies = rides()
    policies[1]["entity"]["closes"] = "300ms"
    proxy = stage.proxy(upstream, policies)
    assert once(proxy.data, decline("r1")).decision == "forwarded"
    drivers = iter(range(10_000))
    eventually(lambda: once(proxy.data, dispatch("r1", f"d{next(drivers)}")).decision
               == "forwarded", "the ride reopens")


def test_two_declines_at_once_are_one_execution_and_two_successes(stage):
    for ride in range(20):
        upstream = stage.upstream(key=by_target) if ride == 0 else upstream
        proxy = stage.proxy(upstream, rides()) if ride == 0 else proxy
        for second in ({}, {"reason": "late"}):
            name = f"r{ride}-{len(second)}"
            answers = crowd(proxy.data, [decline(name), decline(name, **second)])
            assert [answer.status for answer in answers] == [200, 200]
            assert upstream.executions[f"/rides/{name}/decline"] == 1


def test_no_dispatch_starts_after_its_decline_was_answered(stage):
    """A thousand rides, each declined while two drivers are being dispatched to it."""
    started = {}

    def handler(exchange):
        started[exchange.request.target, exchange.request.body] = time.monotonic()
        executed(exchange)

    upstream = stage.upstream(handler, key=lambda r: (r.target, r.body))
    proxy = stage.proxy(upstream, rides(), store={"rocksdb": {"sync": "none"}})
    generator = random.Random(20)
    refused = 0
    for batch in range(40):
        requests = []
        for number in range(25):
            ride = f"{batch}-{number}"
            requests += [dispatch(ride, "d1"), dispatch(ride, "d2"), decline(ride)]
        delays = [generator.random() * 0.03 for _ in requests]
        answers = crowd(proxy.data, requests, delays)
        for at in range(0, len(answers), 3):
            *dispatches, declined = answers[at : at + 3]
            assert (declined.status, declined.decision) == (200, "forwarded")
            for answer, driver in zip(dispatches, ("d1", "d2")):
                assert answer.decision in ("forwarded", "closed"), answer
                refused += answer.decision == "closed"
                name = f"/rides/{batch}-{at // 3}/dispatch"
                body = b'{"driver": "%s"}' % driver.encode()
                if answer.decision == "forwarded":
                    assert started[name, body] < declined.at
                else:
                    assert (name, body) not in started
    # Otherwise nothing was raced.
    assert 100 < refused < 1900


def test_sequences_up_to_the_highest_completed_one_are_stale(stage):
    upstream = stage.upstream(key=lambda r: r.body)
    proxy = stage.proxy(upstream, locations())
    assert once(proxy.data, location("j1", 10)).decision == "forwarded"
    answer = once(proxy.data, location("j1", 5))
    assert (answer.status, answer.decision) == (200, "stale")
    assert answer.json == {"status": "ignored", "reason": "stale"}
    # The same one again is a duplicate, not a stale one; another job has its own order.
    assert once(proxy.data, location("j1", 10)).decision == "replayed"
    assert once(proxy.data, location("j2", 5)).decision == "forwarded"
    assert once(proxy.data, location("j1", 11)).decision == "forwarded"
    assert sum(upstream.executions.values()) == 3


def test_one_that_waits_behind_a_failure_is_not_stale(stage):
    fail = threading.Event()

    def handler(exchange):
        if exchange.execution == 1:
            fail.wait(60)
            exchange.answer(503, {})
        else:
            executed(exchange)

    upstream = stage.upstream(handler, key=lambda r: r.body)
    proxy = stage.proxy(upstream, locations())
    with Client(proxy.data) as tenth, Client(proxy.data) as fifth:
        tenth.send(location("j1", 10))
        upstream.wait_for_requests(1)
        fifth.send(location("j1", 5))
        wait_until_queued(proxy, "job/j1")
        fail.set()
        assert tenth.read("POST").status == 503
        assert fifth.read("POST").decision == "forwarded"


def test_one_that_waits_behind_a_later_one_is_stale(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish), key=lambda r: r.body)
    proxy = stage.proxy(upstream, locations())
    with Client(proxy.data) as tenth, Client(proxy.data) as fifth:
        tenth.send(location("j1", 10))
        upstream.wait_for_requests(1)
        fifth.send(location("j1", 5))
        wait_until_queued(proxy, "job/j1")
        finish.set()
        assert tenth.read("POST").decision == "forwarded"
        assert fifth.read("POST").decision == "stale"
    assert sum(upstream.executions.values()) == 1


def test_a_sequence_that_is_no_integer_is_a_missing_key(stage, upstream):
    proxy = stage.proxy(upstream, locations())
    for value in ("ten", 1.5, None, [1]):
        answer = once(proxy.data, location("j1", value))
        assert (answer.status, answer.decision) == (400, "missing-key"), value
    assert not upstream.requests


def test_the_state_of_an_entity_survives_kill_9(stage):
    upstream = stage.upstream(key=lambda r: r.target)
    proxy = stage.proxy(upstream, rides() + locations())
    assert once(proxy.data, decline("r1")).decision == "forwarded"
    assert once(proxy.data, location("j1", 10)).decision == "forwarded"
    proxy.kill9()
    proxy.restart()
    assert once(proxy.data, dispatch("r1")).decision == "closed"
    assert once(proxy.data, location("j1", 9)).decision == "stale"
    assert once(proxy.data, location("j1", 11)).decision == "forwarded"
    assert upstream.executions["/rides/r1/dispatch"] == 0


def killed_while_dispatching(stage, wait, lease):
    """The program, started again after it was killed with a dispatch of r1 under way."""
    upstream = stage.upstream(lambda exchange: exchange.connection.over.wait(60), key=by_target)
    policies = rides(wait=wait)
    policies[0]["lease"] = policies[1]["lease"] = lease
    proxy = stage.proxy(upstream, policies)
    with Client(proxy.data) as client:
        client.send(dispatch("r1"))
        upstream.wait_for_requests(1)
        proxy.kill9()
    upstream.handler = executed
    proxy.restart()
    return proxy, upstream


def test_a_dead_process_keeps_its_turn_until_its_lease_ends(stage):
    """What it forwarded may still be under way in the upstream."""
    proxy, upstream = killed_while_dispatching(stage, wait="100ms", lease="60s")
    assert once(proxy.data, dispatch("r1")).decision == "held"
    assert once(proxy.data, decline("r1")).decision == "busy"
    assert once(proxy.data, decline("r2")).decision == "forwarded"
    assert upstream.executions["/rides/r1/decline"] == 0


def test_after_a_dead_process_s_lease_the_next_one_goes(stage):
    proxy, _ = killed_while_dispatching(stage, wait="30s", lease="1s")
    assert once(proxy.data, decline("r1")).decision == "forwarded"
    assert once(proxy.data, dispatch("r1")).decision == "closed"


def test_policies_share_an_entity_by_its_type_and_id(stage, upstream):
    """One finds the ride in the path, another in a JSON number."""
    policies = rides()
    policies.append({
        "name": "cancel",
        "match": {"methods": ["POST"], "path": "/cancel"},
        "fingerprint": [{"body": "/ride"}],
        "scope": "shared",
        "entity": {"type": "ride", "id": [{"body": "/ride"}], "closes": "1h"},
    })
    proxy = stage.proxy(upstream, policies)
    assert once(proxy.data, request(target="/cancel", body={"ride": 42})).decision == "forwarded"
    assert once(proxy.data, dispatch("42")).decision == "closed"
    assert once(proxy.data, dispatch("43")).decision == "forwarded"

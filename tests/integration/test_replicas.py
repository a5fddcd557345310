"""Several processes on one PostgreSQL server see each other's requests: each key is executed once, any
process can replay the answer, and records that one process deletes are gone for all."""

import random
import threading
import time

import pytest

from harness import Client, PATIENCE, eventually, policy, request
from harness.client import once
from harness.exactly_once import Terms, faults
from harness.history import History
from harness.linearizability import check
from harness.replicas import Crowd, Replicas, Service, ask_all
from harness.upstream import executed, executed_after
from test_ends import alerts, event
from test_entities import decline, dispatch, location, locations, rides

# Seconds after which what one process was told holds for the others; they keep a confirmed answer
# for one.
SEEN = 1.0


@pytest.fixture
def three(stage, database):
    """Makes three processes in front of an upstream."""

    def make(upstream, policies=None, **changes):
        return [stage.proxy(upstream, policies, store=database.store(), workers=1, **changes)
                for _ in range(3)]

    return make


def at_once(calls):
    """Runs functions on threads of their own, from one moment on; what each gave."""
    barrier = threading.Barrier(len(calls))
    results = [None] * len(calls)

    def run(n):
        barrier.wait(PATIENCE)
        results[n] = calls[n]()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    return results


def test_sixty_four_clients_get_one_execution_a_key_and_replays_from_any_process(stage, database):
    history = History()
    terms = Terms(lease=30, window=3600, shared=True)
    orders = policy(lease="30s", window="1h", in_flight={"action": "wait", "timeout": "20s"})
    replicas = Replicas(stage, history, Service(history, moods=False), [orders], database.store())
    crowd = Crowd(replicas, history, "crowd", clients=64, fresh=0.2)
    crowd.wait_for_answers(3000)
    crowd.stop()
    answers = ask_all(replicas, history, crowd.keys)
    assert {answer.decision for answer in answers} == {"replayed"}
    assert set(replicas.upstream.executions.values()) == {1}
    assert not faults(history, terms)
    check(history, terms)
    for proxy in replicas:
        metrics = proxy.metrics()
        assert metrics.decisions("forwarded") > 0 and metrics.decisions("replayed") > 0


def test_of_many_equal_requests_at_once_one_is_forwarded_and_all_get_its_answer(stage, three):
    upstream = stage.upstream()
    proxies = three(upstream, [policy(in_flight={"action": "wait", "timeout": "30s"})])
    for key in range(10):
        calls = [lambda n=n: once(proxies[n % 3].data, request(key=f"k{key}", body="same"))
                 for n in range(24)]
        answers = at_once(calls)
        assert {answer.body for answer in answers} == {answers[0].body}
        assert sorted(answer.decision for answer in answers) == ["forwarded"] + 23 * ["replayed"]
    assert set(upstream.executions.values()) == {1}


def test_a_duplicate_waits_for_a_request_of_another_process(stage, three):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxies = three(upstream, [policy(in_flight={"action": "wait", "timeout": "30s"})])
    with Client(proxies[0].data) as first, Client(proxies[1].data) as other, \
            Client(proxies[2].data) as third:
        first.send(request(key="k", body="same"))
        upstream.wait_for_requests(1)
        for client, proxy in ((other, proxies[1]), (third, proxies[2])):
            client.send(request(key="k", body="same"))
            eventually(lambda p=proxy: p.metrics().sum("onceproxy_store_waiting") == 1, "it waits")
        finish.set()
        answer = first.read("POST")
        for client in (other, third):
            waited = client.read("POST")
            assert (waited.decision, waited.body) == ("replayed", answer.body)
    assert len(upstream.requests) == 1


def test_one_of_those_that_wait_on_other_processes_takes_over_when_the_first_fails(stage, three):
    fail, fine = threading.Event(), []

    def handler(exchange):
        if exchange.execution == 1:
            fail.wait(PATIENCE)
            exchange.answer(503, b"")
        else:
            fine.append(exchange.execution)
            executed(exchange)

    upstream = stage.upstream(handler)
    proxies = three(upstream, [policy(in_flight={"action": "wait", "timeout": "30s"})])
    with Client(proxies[0].data) as first:
        first.send(request(key="k"))
        upstream.wait_for_requests(1)
        clients = [Client(proxies[n % 3].data) for n in range(6)]
        for client in clients:
            client.send(request(key="k"))
        eventually(lambda: sum(p.metrics().sum("onceproxy_store_waiting") for p in proxies) == 6,
                   "six wait")
        fail.set()
        assert first.read("POST").status == 503
        answers = [client.read("POST") for client in clients]
    for client in clients:
        client.close()
    assert fine == [2]
    assert sorted(answer.decision for answer in answers) == ["forwarded"] + 5 * ["replayed"]
    assert len({answer.body for answer in answers}) == 1


def test_a_request_under_way_elsewhere_is_in_flight_and_another_payload_a_mismatch(stage, three):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxies = three(upstream)
    with Client(proxies[0].data) as first:
        first.send(request(key="k", body="same"))
        upstream.wait_for_requests(1)
        assert once(proxies[1].data, request(key="k", body="same")).problem == "in-flight"
        assert once(proxies[2].data, request(key="k", body="other")).problem == "key-reused"
        finish.set()
        assert first.read("POST").decision == "forwarded"
    assert once(proxies[2].data, request(key="k", body="other")).problem == "key-reused"


def replayed_everywhere(proxies, key):
    """Asks each until it knows the answer, and answers from memory."""
    for proxy in proxies:
        for _ in range(3):
            assert once(proxy.data, request(key=key)).decision in ("forwarded", "replayed")


def forwarded_within(proxy, key, seconds):
    """Asks until the request is forwarded again; fails where that takes longer."""
    begun = time.monotonic()
    eventually(lambda: once(proxy.data, request(key=key)).decision == "forwarded",
               f"{key} is forwarded again")
    # What follows the second itself is this machine's.
    assert time.monotonic() - begun < seconds + 1


def fingerprint_of(proxy):
    (record,) = proxy.operator.get("/records")["items"]
    return record["fingerprint"]


def test_a_record_that_an_operator_deletes_is_gone_for_all_processes(stage, upstream, three):
    proxies = three(upstream)
    replayed_everywhere(proxies, "k")
    status, _ = proxies[0].operator.call("DELETE", f"/records/{fingerprint_of(proxies[1])}")
    assert status == 200
    forwarded_within(proxies[2], "k", SEEN)
    assert once(proxies[1].data, request(key="k")).decision == "replayed"
    assert len(upstream.requests) == 2


def test_a_record_that_an_operator_releases_is_free_for_all_processes(stage, three):
    upstream = stage.upstream(
        lambda exchange: executed(exchange) if exchange.execution > 1 else exchange.answer(502, b""))
    proxies = three(upstream, [policy(outcome={"unknown": "hold"})])
    assert once(proxies[0].data, request(key="k")).status == 502
    assert once(proxies[1].data, request(key="k")).problem == "outcome-unknown"
    status, _ = proxies[2].operator.post(f"/records/{fingerprint_of(proxies[2])}/release")
    assert status == 200
    forwarded_within(proxies[1], "k", SEEN)


def test_an_operation_that_ends_on_one_process_has_ended_on_all(stage, upstream, three):
    proxies = three(upstream, alerts())
    for _ in range(20):
        for action in ("trigger", "resolve"):
            first, *others = random.sample(proxies, 3)
            assert once(first.data, event(action)).decision == "forwarded"
            for proxy in others:
                assert once(proxy.data, event(action)).decision == "suppressed"
    assert len(upstream.requests) == 40


def test_a_rate_limit_is_one_for_all_processes(stage, upstream, three):
    limited = policy(rate_limit={"limit": 10, "per": "1h", "by": [{"body": "/name"}]})
    proxies = three(upstream, [limited])
    calls = [lambda n=n: once(proxies[n % 3].data, request(key=f"k{n}", body={"name": "disk"}))
             for n in range(30)]
    decisions = [answer.decision for answer in at_once(calls)]
    assert sorted(decisions) == 10 * ["forwarded"] + 20 * ["rate-limited"]
    assert len(upstream.requests) == 10


def test_a_stale_update_is_ignored_whichever_process_took_the_newer_one(stage, upstream, three):
    proxies = three(upstream, locations())
    assert once(proxies[0].data, location("j1", 5)).decision == "forwarded"
    assert once(proxies[1].data, location("j1", 3)).decision == "stale"
    assert once(proxies[2].data, location("j1", 6)).decision == "forwarded"
    assert once(proxies[0].data, location("j1", 5)).decision in ("replayed", "suppressed")
    assert once(proxies[0].data, location("j1", 4)).decision == "stale"


def test_every_process_lists_the_records_of_all(stage, upstream, three):
    proxies = three(upstream)
    for n in range(9):
        once(proxies[n % 3].data, request(key=f"k{n}"))
    for proxy in proxies:
        items = proxy.operator.get("/records?limit=100")["items"]
        assert len(items) == 9 and {item["state"] for item in items} == {"completed"}


RACES = 1000
RACERS = 12


def test_nothing_is_dispatched_after_a_decline_by_any_process(stage, three):
    """A thousand races between a decline and a dispatch of one ride, over three processes."""
    order, inside, overlaps = {}, set(), []
    lock = threading.Lock()

    def handler(exchange):
        _, _, ride, action = exchange.request.target.split("/")
        with lock:
            if ride in inside:
                overlaps.append(ride)
            inside.add(ride)
            order.setdefault(ride, []).append(action)
        time.sleep(0.001)  # it works, while another might
        with lock:
            inside.discard(ride)
        executed(exchange)

    upstream = stage.upstream(handler, key=lambda r: r.target)
    proxies = three(upstream, rides())
    rides_left, answers = iter(range(RACES)), {}

    def race(number):
        generator = random.Random(number)
        clients = [[Client(proxy.data) for proxy in proxies] for _ in range(2)]
        while (ride := next_ride()) is not None:
            requests = [decline(f"r{ride}"), dispatch(f"r{ride}")]
            pairs = list(zip(requests, [generator.choice(of) for of in clients]))
            generator.shuffle(pairs)
            for data, client in pairs:
                client.send(data)
            for data, client in pairs:
                answers[ride, b"decline" in data.split(b" ", 2)[1]] = client.read("POST").decision
        for client in clients[0] + clients[1]:
            client.close()

    def next_ride():
        with lock:
            return next(rides_left, None)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5 * PATIENCE)
    assert not overlaps
    assert len(answers) == 2 * RACES
    for ride in range(RACES):
        done = order[f"r{ride}"]
        assert answers[ride, True] == "forwarded"
        dispatched = answers[ride, False]
        assert dispatched in ("forwarded", "closed"), (ride, dispatched)
        assert done == (["dispatch", "decline"] if dispatched == "forwarded" else ["decline"])
    assert {answers[ride, False] for ride in range(RACES)} == {"forwarded", "closed"}

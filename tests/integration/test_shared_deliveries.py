"""Several processes deliver from one database: each delivery is attempted by one of them at a time, what
one leaves the others take over, and the events of an entity arrive in order whoever delivers them."""

import json
import threading

import pytest

from harness import Client, crowd, eventually, request
from harness.client import BrokenOff, once
from harness.listeners import at_random, out_of_order
from harness.postgres import Postgres
from harness.process import run
from test_deliveries import QUICK, dispatch, event, states, wait_for_states

# Seconds after which the claims of a process that was killed are over, and some more.
TAKEN_OVER = 40


@pytest.fixture
def several(stage, database, upstream):
    """Makes processes with the same policies."""

    def make(policies, count=3, database=database, **changes):
        return [stage.proxy(upstream, policies, store=database.store(), workers=1, **changes)
                for _ in range(count)]

    return make


@pytest.fixture
def own_postgres():
    """A server that a test may stop."""
    made = Postgres()
    yield made
    made.close()


@pytest.fixture
def replicated():
    """A server with a standby that every commit waits for."""
    made = Postgres(standby=True)
    yield made
    made.close()


def send_all(proxies, rides, numbers):
    """Sends the events of each ride in order, each to another process; their fingerprints."""
    sent = []
    clients = [Client(proxy.data) for proxy in proxies]
    try:
        for number in range(numbers):
            for ride in range(rides):
                answer = clients[(number + ride) % len(clients)].exchange(event(f"r{ride}", number))
                assert (answer.status, answer.decision) == (202, "accepted"), answer
                sent.append(answer.json["event"])
    finally:
        for client in clients:
            client.close()
    return sent


def nothing_pending(proxy, within=60):
    eventually(lambda: proxy.metrics().sum("onceproxy_deliveries_pending") == 0, "nothing pending",
               within)


def in_order(listener):
    bodies = [json.loads(body) for body in listener.bodies()]
    return not out_of_order(bodies, lambda b: b["ride"], lambda b: b["number"])


def delivered_by(proxies, listener):
    """How many deliveries each process has ended as notified."""
    return [proxy.metrics().sum("onceproxy_deliveries_total", listener=listener, result="notified")
            for proxy in proxies]


def test_each_event_reaches_each_listener_once(several, listeners):
    a, b = listeners.add("a"), listeners.add("b")
    proxies = several([dispatch([a, b])])
    sent = send_all(proxies, rides=10, numbers=12)
    a.wait_for(len(sent))
    b.wait_for(len(sent))
    nothing_pending(proxies[0])
    for listener in (a, b):
        assert len(listener.all()) == len(sent) and in_order(listener)
        assert sum(delivered_by(proxies, listener.name)) == len(sent)
        # Each delivers what it has stored.
        assert min(delivered_by(proxies, listener.name)) > 0
    # Any of them tells what became of each, and knows the duplicates.
    for number, fingerprint in enumerate(sent):
        assert states(proxies[number % 3], fingerprint) == {"a": "NOTIFIED", "b": "NOTIFIED"}
    for proxy in proxies:
        assert once(proxy.data, event("r0", 0)).decision == "replayed"


def test_a_process_that_is_killed_leaves_its_deliveries_to_the_others(several, listeners):
    held = threading.Event()
    a = listeners.add("a", lambda _: "ok" if held.is_set() else "silent")
    b = listeners.add("b")
    settings = [a.settings(timeout="300s", max_concurrency=4, backoff=QUICK), b.settings()]
    first, second = several([dispatch(settings)], count=2)
    sent = send_all([first], rides=10, numbers=1)
    eventually(lambda: len(a.all()) >= 4, "attempts under way")
    # What b has taken may not be recorded yet.
    eventually(lambda: delivered_by([first], "b") == [len(sent)], "b's deliveries recorded")
    first.kill9()
    held.set()
    a.wait_for(len(sent), within=TAKEN_OVER)
    nothing_pending(second)
    for fingerprint in sent:
        assert states(second, fingerprint) == {"a": "NOTIFIED", "b": "NOTIFIED"}
    # Only what was under way when it was killed came again.
    assert len(a.taken()) == len(sent)
    assert len(b.all()) == len(sent)
    first.restart()
    assert once(first.data, event("r0", 0)).decision == "replayed"


def test_kill_9_of_one_after_another_misses_nothing_and_keeps_the_order(several, listeners):
    flaky, steady = listeners.add("flaky", at_random(3, 0.3, ("error", "reset", "half"))), \
        listeners.add("steady")
    settings = [each.settings(backoff=QUICK, attempts=1000, timeout="1s") for each in (flaky, steady)]
    proxies = several([dispatch(settings)])
    sent = []
    for turn in range(3):
        for number in range(10):
            for ride in range(5):
                proxy = proxies[(turn + ride + number) % 3]
                answer = once(proxy.data, event(f"r{ride}", turn * 10 + number))
                assert answer.status == 202, answer
                sent.append(answer.json["event"])
        proxies[turn].kill9()
        proxies[turn].restart()
    for listener in (flaky, steady):
        listener.wait_for(len(sent), within=120)
    nothing_pending(proxies[0])
    for fingerprint in sent:
        assert states(proxies[0], fingerprint) == {"flaky": "NOTIFIED", "steady": "NOTIFIED"}
    assert in_order(flaky) and in_order(steady)


def test_the_others_help_with_what_one_cannot_deliver_in_time(several, listeners):
    slow = listeners.add("slow", "late")
    slow.late_by = 0.1
    first, second = several([dispatch([slow.settings(max_concurrency=2)])], count=2)
    sent = send_all([first], rides=150, numbers=1)
    slow.wait_for(len(sent), within=120)
    nothing_pending(first)
    assert len(slow.all()) == len(sent)
    assert slow.under_way_max <= 4
    assert min(delivered_by([first, second], "slow")) > 0


def test_a_change_by_an_operator_of_one_process_is_seen_by_the_others(several, listeners):
    mood = ["error"]
    a = listeners.add("a", lambda _: mood[0])
    first, second = several([dispatch([a.settings(attempts=1)])], count=2)
    fingerprints = send_all([first], rides=2, numbers=1)
    for fingerprint in fingerprints:
        wait_for_states(second, fingerprint, {"a": "DEAD"})
    mood[0] = "ok"
    admin = "--admin", "%s:%d" % second.admin
    redriven = run("dead-letters", "redrive", "--event", fingerprints[0], *admin)
    assert redriven.stdout == "1 will be delivered again, 0 refused\n"
    wait_for_states(first, fingerprints[0], {"a": "NOTIFIED"})
    item = second.operator.get(f"/deliveries?event={fingerprints[1]}")["items"][0]
    assert run("dead-letters", "drop", item["delivery"], *admin).returncode == 0
    assert states(first, fingerprints[1]) == {"a": "REMOVED"}
    for proxy in (first, second):
        assert proxy.metrics().sum("onceproxy_dead_letters") == 0


def test_who_waits_for_all_listeners_hears_of_what_another_process_delivers(several, listeners):
    held = listeners.add("held", "held")
    rules = {"acknowledge": "all", "acknowledge_timeout": "50s"}
    first, second = several([dispatch([held.settings(timeout="50s")], rules)], count=2)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(once(first.data, event("r1"))))
    waiting.start()
    eventually(lambda: held.all(), "an attempt")
    # The duplicate waits at a process that delivers nothing.
    duplicate = threading.Thread(target=lambda: answers.append(once(second.data, event("r1"))))
    duplicate.start()
    held.let_go()
    for thread in (waiting, duplicate):
        thread.join(60)
    assert len(answers) == 2
    for answer in answers:
        assert answer.status == 202
        assert answer.json["status"] == "notified", answer.json


def test_a_listener_that_only_some_processes_have_is_not_removed(several, listeners):
    """A rollout: the new configuration has a listener that the old one does not know."""
    known, fresh = listeners.add("known"), listeners.add("fresh", "late")
    fresh.late_by = 0.2
    new, old = several([dispatch([known, fresh.settings(max_concurrency=1)])], count=1) + \
        several([dispatch([known])], count=1)
    sent = send_all([new], rides=30, numbers=1)
    fresh.wait_for(len(sent))
    nothing_pending(old)
    for fingerprint in sent:
        assert states(old, fingerprint) == {"known": "NOTIFIED", "fresh": "NOTIFIED"}


class Load:
    """Clients that send the events of a ride each, in order, to one of the processes, and ask again until
    each is accepted."""

    def __init__(self, proxies, clients=6):
        self.accepted = {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._send, args=(proxies[n % len(proxies)], n))
                        for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def _send(self, proxy, number):
        sequence = 0
        while not self.over.is_set():
            try:
                answer = once(proxy.data, event(f"r{number}", sequence))
            except BrokenOff:
                continue
            if answer.status == 202:
                self.accepted[(f"r{number}", sequence)] = answer.json["event"]
                sequence += 1

    def wait_for_more(self, more=20):
        before = len(self.accepted)
        eventually(lambda: len(self.accepted) > before + more, "events are accepted")

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def under_load(several, listeners, database, disturb):
    """Every event that was accepted while the database was disturbed reaches every listener, in order."""
    a, b = listeners.add("a"), listeners.add("b", at_random(5, 0.2, ("error", "reset")))
    settings = [each.settings(backoff=QUICK, attempts=1000, timeout="2s") for each in (a, b)]
    proxies = several([dispatch(settings)], database=database)
    load = Load(proxies)
    try:
        load.wait_for_more()
        disturb(load)
        load.wait_for_more()
    finally:
        load.stop()
    for listener in (a, b):
        listener.wait_for(len(load.accepted), within=120)
    nothing_pending(proxies[0])
    for listener in (a, b):
        got = {(body["ride"], body["number"]) for body in map(json.loads, listener.bodies())}
        # What was stored and could not be acknowledged before the end is delivered too.
        assert got >= set(load.accepted)
        assert in_order(listener)
    for fingerprint in load.accepted.values():
        assert set(states(proxies[0], fingerprint).values()) == {"NOTIFIED"}


def test_the_database_restarts_under_load_and_nothing_is_lost(several, listeners, own_postgres,
                                                              directory):
    def restart(load):
        for _ in range(3):
            load.wait_for_more()
            own_postgres.primary.restart("immediate")

    under_load(several, listeners, own_postgres.database().migrate(directory), restart)


def test_a_standby_takes_over_under_load_and_nothing_is_lost(several, listeners, replicated,
                                                             directory):
    def promote(load):
        replicated.promote()
        replicated.replace_standby()

    under_load(several, listeners, replicated.database().migrate(directory), promote)


def test_nothing_is_sent_by_any_process_after_a_decline_was_answered(several, listeners):
    a = listeners.add("a", "late")
    a.late_by = 0.02
    offers = dispatch([a.settings(max_concurrency=8)],
                      entity={"type": "ride", "id": [{"path": "ride"}], "unless_closed": True})
    declines = {
        "name": "decline",
        "match": {"methods": ["POST"], "path": "/rides/{ride}/decline"},
        "fingerprint": [{"path": "ride"}],
        "scope": "shared",
        "entity": {"type": "ride", "id": [{"path": "ride"}], "closes": "1h"},
    }
    proxies = several([offers, declines])
    rides = [f"r{number}" for number in range(60)]
    answered = {}

    def race(proxy, group, requests, delays):
        answers = crowd(proxy.data, requests, delays)
        for asked, answer in zip(group, answers):
            if asked:
                assert answer.status == 200, answer
                answered[asked] = answer.at

    for begin in range(0, len(rides), 15):
        group = rides[begin:begin + 15]
        # Offers by two processes, the decline by the third.
        offered = [[event(ride, number) for ride in group] for number in range(2)]
        declined = [request(target=f"/rides/{ride}/decline", body={}) for ride in group]
        threads = [
            threading.Thread(target=race, args=(proxies[n], [None] * len(group), offered[n],
                                                [0] * len(group))) for n in range(2)]
        threads.append(threading.Thread(target=race, args=(
            proxies[2], group, declined, [0.01 * (n % 10) for n in range(len(group))])))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answered) == len(rides)
    nothing_pending(proxies[0])
    late = [each for each in a.all() if each.at > answered[json.loads(each.body)["ride"]]]
    assert not late

"""Nothing is missed: many listeners, some of which fail at random (they refuse, reset, are slow, answer 500,
429 or half an answer), listeners that come and go all the time, and kill -9 of the program in between. Every
listener of an event's configuration is notified, or dead with a reason; nothing is out of order within an
entity; repeats are where a crash or a lost answer was; and everything is counted."""

import collections
import json
import os
import random
import threading
import time

import pytest

from harness import Client, crowd, eventually, request
from harness.client import BrokenOff
from harness.fan_out import QUICK, dispatch, event, pending
from harness.listeners import (FAILING, Connection, Flapping, Received, at_random, out_of_order,
                               parse_request)

LONG = os.environ.get("ONCEPROXY_LONG") == "1"
LISTENERS, FAIL, EVENTS, KILLS = (127, 20, 3600, 10) if LONG else (24, 6, 360, 3)
FLAP = FAIL // 4  # of those that fail, so many refuse connections
DECLINES = 1000 if LONG else 100
RIDES = 40
ATTEMPTS = 60
TIMEOUT = 4.0  # seconds: of an attempt
PATIENCE = 1800 if LONG else 400
MOODS = FAILING + ("late",)


def policy_for(crew, removed):
    settings = [each.settings(attempts=ATTEMPTS, timeout=f"{TIMEOUT:g}s",
                              backoff={"initial": "50ms", "max": "500ms"}) for each in crew]
    return dispatch(settings, {} if removed == "remove" else {"removed_listeners": removed})


class Sender:
    """Sends events in order for each ride, each again and again until it is accepted, and remembers which
    listeners were configured all the time meanwhile."""

    def __init__(self, proxy, history):
        self.proxy = proxy
        self.history = history  # the sets of names that certainly were configured, one after the other
        self.accepted = {}  # (ride, number): (fingerprint, names)
        self.turn = threading.Lock()
        self.failed = []
        self.pause = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(4)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert not self.failed, self.failed

    def _run(self, lane):
        try:
            client = None
            for number in range(EVENTS // RIDES):
                for ride in range(lane, RIDES, len(self.threads)):
                    client = self._send(f"r{ride}", number, client)
        except Exception as problem:  # pylint: disable=broad-except
            self.failed.append(problem)

    def _send(self, ride, number, client):
        first = len(self.history) - 1
        while True:
            try:
                client = client or Client(self.proxy.data)
                answer = client.exchange(event(ride, number))
            except (BrokenOff, OSError, KeyError):
                client = None
                self.pause.wait(0.02)  # it was killed, and starts again
                continue
            assert answer.status in (202, 409, 503), answer
            if answer.status == 202:
                break
        certain = frozenset.intersection(*self.history[first:])
        with self.turn:
            self.accepted[ride, number] = (answer.json["event"], certain)
        return client


class Changes:
    """Changes which listeners are configured, without a pause but while the program is being killed. Those
    that fail stay, so that what is hard goes on."""

    def __init__(self, proxy, crew, removed, seed):
        self.proxy, self.crew, self.removed = proxy, crew, removed
        self.generator = random.Random(seed)
        self.configured = list(crew)
        # All that were certain, because a slow request may see several changes.
        self.history = [self.names()]
        self.count = 0
        self.turn = threading.Lock()
        self.over = threading.Event()
        self.failed = []
        self.thread = threading.Thread(target=self._run)

    def names(self):
        return frozenset(each.name for each in self.configured)

    def _are(self, configured):
        self.configured = configured
        self.history.append(self.names())

    def _run(self):
        try:
            while not self.over.wait(0.1):
                with self.turn:
                    self._change()
        except Exception as problem:  # pylint: disable=broad-except
            self.failed.append(problem)

    def _change(self):
        count = self.generator.randrange(LISTENERS // 2, LISTENERS + 1)
        now = self.crew[:FAIL] + self.generator.sample(self.crew[FAIL:], count - FAIL)
        # Not certain while it changes.
        self._are([each for each in now if each in self.configured])
        settings = {**self.proxy.settings, "policies": [policy_for(now, self.removed)]}
        self.proxy.configure(settings)
        eventually(self._reload, "a reload")
        self._are(now)
        self.count += 1

    def _reload(self):
        """False: the disk of a busy machine took too long, and the operator asks again."""
        status, body = self.proxy.operator.post("/reload")
        assert status == 200 or "does not keep the listeners now" in str(body), body
        return status == 200

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(PATIENCE)
        assert not self.failed, self.failed


@pytest.mark.parametrize("removed", ["finish", "remove"])
def test_no_listener_misses_an_event(stage, listeners, upstream, removed):
    crew = [listeners.add(f"l{n}", at_random(n, 0.4, MOODS) if n < FAIL else "ok")
            for n in range(LISTENERS)]
    proxy = stage.proxy(upstream, [policy_for(crew, removed)])
    changes = Changes(proxy, crew, removed, seed=1)
    sender = Sender(proxy, changes.history)
    began, kills = time.monotonic(), []
    sender.start()
    with Flapping(crew[:FLAP], seed=2):
        with changes:
            for kill in range(KILLS):
                until = EVENTS * (kill + 1) // (KILLS + 1)
                eventually(lambda: len(sender.accepted) >= until or sender.failed,
                           f"{until} events accepted", PATIENCE)
                with changes.turn:
                    killed = time.monotonic()
                    proxy.kill9()
                    proxy.restart()
                    # A listener may be late to look at what the killed process sent.
                    kills.append((killed, time.monotonic()))
            sender.join()
        # Nothing changes while the program starts, however long a busy machine takes for that.
        down = sum(until - since for since, until in kills)
        minutes = (time.monotonic() - began - down) / 60
    assert changes.count > 20 * minutes, f"{changes.count} changes in {minutes:.1f} minutes"
    eventually(lambda: pending(proxy) == 0, "nothing pending", PATIENCE)
    ends = check_ledger(proxy, crew, sender, removed)
    repeats = check_repeats(crew, kills)
    for listener in crew:
        bodies = [json.loads(body) for body in listener.bodies()]
        assert not out_of_order(bodies, lambda b: b["ride"], lambda b: b["number"]), listener.name
    print(f"{len(sender.accepted)} events, {changes.count} changes, {len(kills)} kills, {dict(ends)}, "
          f"repeats: {dict(repeats)}")


def check_ledger(proxy, crew, sender, removed):
    """What the ledger says of each event is true, is all that it should say, and is what is counted."""
    took = {each.name: set(each.bodies()) for each in crew}
    ends, attempts = collections.Counter(), collections.Counter()
    for (ride, number), (fingerprint, certain) in sender.accepted.items():
        found = proxy.operator.get(f"/deliveries/{fingerprint}")["items"][0]
        body = json.dumps({"ride": ride, "number": number}).encode()
        states = {each["listener"]: each for each in found["deliveries"]}
        missed = certain - states.keys()
        assert not missed, f"{ride}/{number} was never meant for {missed}"
        for name, delivery in states.items():
            ends[delivery["state"]] += 1
            attempts[name] += delivery["attempts"]
            if delivery["state"] == "NOTIFIED":
                assert body in took[name], f"{name} has not got {body}"
            elif delivery["state"] == "DEAD":
                assert delivery["attempts"] >= ATTEMPTS, delivery
                assert delivery.get("status") or delivery["error"], delivery
            else:
                assert delivery["state"] == "REMOVED" and removed == "remove", delivery
    assert len(sender.accepted) == EVENTS and ends["NOTIFIED"] > EVENTS * FAIL
    metrics = proxy.metrics()
    for state in ("NOTIFIED", "DEAD", "REMOVED"):
        counted = metrics.sum("onceproxy_deliveries_total", result=state.lower())
        assert counted == ends[state], state
    # An attempt whose end was lost with the process is all that a listener knows and the ledger does not.
    for listener in crew[FAIL:]:
        unknown = len(listener.all()) - attempts[listener.name]
        assert unknown <= len(listener.repeats()) + KILLS * 16, listener.name
    return ends


def lies_between(before, again, times, within=float("inf"), late_by=0):
    """One of the times, each from when until when, may have been between the two attempts, and so soon after the
    first, which the listener may have been so late to see."""
    return any(before.at - late_by <= end and again.at >= begin and begin - before.at <= within
               for begin, end in times)


def reason_of(before, again, listener, kills):
    """Why the listener got again what it had taken before; None: there was no reason."""
    # What an attempt took before the listener saw it counts as well.
    late_by = 1 + listener.crew.late_at(before.at)
    # An answer is recorded as soon as it has arrived, however long the kill is ago.
    if lies_between(before, again, kills, TIMEOUT + late_by, late_by):
        return "killed before it was recorded"
    if before.mood == "half":
        return "half an answer"
    if lies_between(before, again, listener.closings):
        return "connection lost"
    if before.given_up_before(again) and again.at - before.at >= TIMEOUT - late_by:
        return "answer too late"
    return None


def check_repeats(crew, kills):
    """Each repeat has its reason, and is counted by it."""
    reasons = collections.Counter()
    for listener in crew:
        for before, again in listener.repeats():
            reason = reason_of(before, again, listener, kills)
            assert reason, (f"{listener.name} got {before.body} again without a reason, "
                            f"{again.at - before.at:.3f} s later, after {before.mood}")
            reasons[reason] += 1
    return reasons


def test_a_repeat_without_a_reason_is_found(listeners):
    """The test above would see one."""
    a = listeners.add("a", is_open=False)

    def repeat(after, mood="ok", closed=None, killed=None):
        sent, _ = parse_request(event("r1"))
        before = Received(sent, mood, Connection())
        before.connection.closed = closed and before.at + closed
        again = Received(sent, "ok", Connection())
        again.at = before.at + after
        kills = [(before.at + killed, before.at + killed + 1)] if killed else []
        return reason_of(before, again, a, kills)

    assert repeat(after=1) is None
    assert repeat(after=1, closed=1) is None
    assert repeat(after=TIMEOUT) is None
    # It had been recorded for long.
    assert repeat(after=60, killed=50) is None
    assert repeat(after=3, killed=2) == "killed before it was recorded"
    assert repeat(after=TIMEOUT, closed=TIMEOUT) == "answer too late"
    assert repeat(after=1, mood="half") == "half an answer"


def test_no_event_is_sent_after_its_decline_was_answered(stage, listeners, upstream):
    a = listeners.add("a")
    ride = {"type": "ride", "id": [{"path": "ride"}]}
    policies = [
        dispatch([a.settings(backoff=QUICK)], entity={**ride, "unless_closed": True}),
        {
            "name": "decline",
            "match": {"methods": ["POST"], "path": "/rides/{ride}/decline"},
            "fingerprint": [{"path": "ride"}],
            "scope": "shared",
            "entity": {**ride, "closes": "1h"},
        },
    ]
    proxy = stage.proxy(upstream, policies)
    rides = [f"r{number}" for number in range(DECLINES)]
    answered = {}
    for begin in range(0, len(rides), 20):
        group = rides[begin:begin + 20]
        requests = [event(ride, number) for ride in group for number in range(3)]
        declines = [request(target=f"/rides/{ride}/decline", body={}) for ride in group]
        delays = [0] * len(requests) + [0.001 * (number % 10) for number in range(len(declines))]
        answers = crowd(proxy.data, requests + declines, delays)
        for name, answer in zip(group, answers[len(requests):]):
            assert answer.status == 200, answer
            answered[name] = answer.at
    eventually(lambda: pending(proxy) == 0, "nothing pending", PATIENCE)
    late = [each for each in a.all() if each.at > answered[json.loads(each.body)["ride"]]]
    assert not late
    # There was a race: some were sent, and some were not any more.
    metrics = proxy.metrics()
    assert metrics.sum("onceproxy_deliveries_total", result="cancelled") > 0
    assert metrics.sum("onceproxy_deliveries_total", result="notified") > 0

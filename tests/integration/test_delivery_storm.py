"""Nothing is missed: many listeners, some of which fail at random, listeners that come and go, and
kill -9 of the program in between. Every listener of an event's configuration is notified, or dead with
a reason; nothing is out of order within an entity; and repeats are where a crash or a lost answer was."""

import collections
import json
import os
import random
import threading

import pytest

from harness import Client, eventually, request
from harness.client import BrokenOff
from harness.listeners import FAILING, at_random, out_of_order

LONG = os.environ.get("ONCEPROXY_LONG") == "1"
LISTENERS, FAIL, EVENTS, KILLS = (127, 20, 3600, 10) if LONG else (24, 6, 360, 3)
RIDES = 40
PATIENCE = 900 if LONG else 400


def policy_for(crew):
    settings = [each.settings(attempts=30, timeout="1s",
                              backoff={"initial": "50ms", "max": "500ms"}) for each in crew]
    return {
        "name": "dispatch",
        "match": {"methods": ["POST"], "path": "/rides/{ride}/dispatch"},
        "fingerprint": [{"path": "ride"}, {"body": "/number"}],
        "scope": "shared",
        "entity": {"type": "ride", "id": [{"path": "ride"}]},
        "delivery": {"listeners": settings},
    }


class Sender:
    """Sends events in order for each ride, again and again until they are accepted, and remembers which
    listeners were configured while each was."""

    def __init__(self, proxy, configured):
        self.proxy = proxy
        self.configured = configured  # () -> the names of listeners that are certain, and possible
        self.accepted = {}  # (ride, number): (fingerprint, certain before, certain after)
        self.turn = threading.Lock()
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(4)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def run(self, lane):
        client = None
        for number in range(EVENTS // RIDES):
            for ride in range(lane, RIDES, len(self.threads)):
                body = {"ride": f"r{ride}", "number": number}
                data = request(target=f"/rides/r{ride}/dispatch", body=body)
                before = set(self.configured())
                while True:
                    try:
                        client = client or Client(self.proxy.data)
                        answer = client.exchange(data)
                        if answer.status == 202:
                            break
                        assert answer.status in (409, 503), answer
                    except (BrokenOff, OSError, KeyError):
                        client = None
                    self.done.wait(0.02)
                after = set(self.configured())
                with self.turn:
                    self.accepted[f"r{ride}", number] = (answer.json["event"], before & after)


@pytest.mark.parametrize("seed", [1])
def test_no_listener_misses_an_event(stage, listeners, upstream, seed):
    generator = random.Random(seed)
    crew = [listeners.add(f"l{n}", at_random(n, 0.4, FAILING) if n < FAIL else "ok")
            for n in range(LISTENERS)]
    configured = [crew]
    proxy = stage.proxy(upstream, [policy_for(crew)])
    sender = Sender(proxy, lambda: {each.name for each in configured[0]})
    sender.start()

    def change():
        """Some of the listeners that work come or go; those that fail stay, so that order is tested."""
        count = generator.randrange(LISTENERS // 2, LISTENERS + 1)
        now = crew[:FAIL] + generator.sample(crew[FAIL:], count - FAIL)
        # Not certain while it changes.
        configured[0] = [each for each in now if each in configured[0]]
        proxy.configure({**proxy.settings, "policies": [policy_for(now)]})
        assert proxy.operator.post("/reload")[0] == 200
        configured[0] = now

    for kill in range(KILLS):
        until = EVENTS * (kill + 1) // (KILLS + 1)
        for _ in range(4):
            change()
        eventually(lambda: len(sender.accepted) >= until, f"{until} events accepted", PATIENCE)
        proxy.kill9()
        proxy.restart()
    sender.join()
    eventually(lambda: proxy.metrics().sum("onceproxy_deliveries_pending") == 0,
               "nothing pending", PATIENCE)
    check(proxy, crew, sender)


def check(proxy, crew, sender):
    took = {each.name: collections.Counter(each.bodies()) for each in crew}
    ends = collections.Counter()
    for (ride, number), (fingerprint, certain) in sender.accepted.items():
        event = proxy.operator.get(f"/deliveries/{fingerprint}")["items"][0]
        body = json.dumps({"ride": ride, "number": number}).encode()
        states = {each["listener"]: each for each in event["deliveries"]}
        missed = certain - states.keys()
        assert not missed, f"{ride}/{number} was never meant for {missed}"
        for name, delivery in states.items():
            ends[delivery["state"]] += 1
            if delivery["state"] == "NOTIFIED":
                assert took[name][body], f"{name} has not got {body}"
            elif delivery["state"] == "DEAD":
                assert delivery["attempts"] >= 30 and (delivery.get("status") or delivery["error"])
            else:
                assert delivery["state"] == "REMOVED", delivery
    assert ends["NOTIFIED"] > EVENTS * FAIL
    for listener in crew:
        bodies = [json.loads(body) for body in listener.bodies()]
        assert not out_of_order(bodies, lambda b: b["ride"], lambda b: b["number"]), listener.name
    # Those that answer everything well are asked again only where the program was killed in between.
    repeats = sum(each.repeats() for each in crew[FAIL:])
    assert repeats <= KILLS * 16 * len(crew)

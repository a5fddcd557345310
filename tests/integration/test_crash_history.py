"""kill -9 while many clients send first requests, retries and duplicates at once to a service that behaves in
different ways. The whole history is recorded and checked (harness/exactly_once.py)."""

import os
import random
import threading

import pytest

from harness import Client, PATIENCE, policy
from harness.client import BrokenOff
from harness.exactly_once import Terms, faults
from harness.history import History

ROUNDS = int(os.environ.get("ONCEPROXY_CRASH_ROUNDS", "5"))
CLIENTS = 48
LEASE, WINDOW, KEPT = 2, 3600, 1000


class Service:
    """Executes, and tells the history. Most of it goes well; the rest is every way in which it does not."""

    def __init__(self, history):
        self.history = history

    def __call__(self, exchange):
        execution = self.history.execute(exchange.request, exchange.request.body.decode())
        generator = random.Random(execution.operation)
        mood = generator.randrange(40)
        body = b"%d " % exchange.execution + b"x" * int(generator.expovariate(1 / 100))
        if mood == 0:
            execution.breaks_off()
            exchange.connection.reset()
        elif mood == 1:
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            execution.breaks_off()
            exchange.connection.close()
        else:
            if mood < 10:  # it works for a while, now and then for most of a lease
                threading.Event().wait(generator.random() * (LEASE if mood == 8 else 0.05))
            status = {2: 503, 3: 502, 4: 201, 5: 404}.get(mood, 200)
            body = b"y" * (KEPT + 1) + body if mood == 6 else body
            execution.answers(status, body)
            exchange.answer(status, body, chunked=mood == 7)


def ask(client, history, key, payload):
    """One request, and what came of it, in the history."""
    operation = history.invoke(key, payload)
    try:
        response = client.call(key=key, body=payload, headers={"X-Request-Id": operation.id})
    except (BrokenOff, OSError):
        operation.lost()
        raise
    operation.took(response)


class Fleet:
    """Clients on connections of their own, until the program is gone."""

    def __init__(self, address, history, seed, earlier):
        self.address = address
        self.history = history
        self.seed = seed
        self.earlier = earlier  # keys of the rounds before
        self.fresh = []         # keys of this one
        self.done = 0
        self.changed = threading.Condition()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        generator = random.Random(f"{self.seed}-{number}")
        try:
            with Client(self.address) as client:
                while True:
                    key = self.key(generator, number)
                    ask(client, self.history, key, "other" if generator.random() < 0.02 else key)
                    self.answered()
        except (BrokenOff, OSError):
            pass

    def key(self, generator, number):
        """A new key, one that others are sending now, or one of any time."""
        way = generator.random()
        with self.changed:
            if way < 0.4 or not self.fresh:
                self.fresh.append(f"{self.seed}-{number}-{len(self.fresh)}")
                return self.fresh[-1]
            if way < 0.7:
                return generator.choice(self.fresh[-8:])
            return generator.choice(self.earlier if self.earlier and way < 0.8 else self.fresh)

    def answered(self):
        with self.changed:
            self.done += 1
            self.changed.notify_all()

    def wait_for_answers(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: self.done >= count, PATIENCE)

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE)


@pytest.mark.parametrize("sync, in_flight", [("all", {"action": "wait", "timeout": "5s"}),
                                             ("none", {"action": "reject"})], ids=["all", "none"])
def test_the_history_of_clients_and_service_is_right_across_kill_9(stage, sync, in_flight):
    history = History()
    upstream = stage.upstream(Service(history))
    terms = Terms(LEASE, WINDOW, kept=KEPT)
    orders = policy(lease=f"{LEASE}s", window=f"{WINDOW}s", in_flight=in_flight,
                    replay={"max_body": KEPT})
    proxy = stage.proxy(upstream, [orders], store={"rocksdb": {"sync": sync}})
    generator, earlier = random.Random(f"{sync}-{in_flight}"), []
    history.started()
    for number in range(ROUNDS):
        fleet = Fleet(proxy.data, history, f"round-{number}", earlier)
        fleet.wait_for_answers(generator.randint(100, 1000))
        history.killed()
        proxy.kill9()
        fleet.join()
        earlier += fleet.fresh
        proxy.restart()
        history.started()
    with Client(proxy.data) as client:
        for key in earlier:
            ask(client, history, key, key)
    wrong = faults(history, terms)
    assert not wrong, f"{len(wrong)} keys, among them:\n" + "\n".join(wrong[:3])
    assert {operation.outcome for operation in history.operations.values()} == {"ok", "fail", "unknown"}

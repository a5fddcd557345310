"""kill -9 under load, many times on the same data directory: nothing is executed twice. The history that
clients and service saw is checked too."""

import json
import os
import random
import threading

import pytest

from harness import Client, policy, request
from harness.client import BrokenOff, once
from harness.exactly_once import Terms, faults
from harness.history import History

ROUNDS = int(os.environ.get("ONCEPROXY_CRASH_ROUNDS", "5"))
CONNECTIONS = 64
KEYS = 2000  # of a round; far more than are sent before the kill


def ask(client, history, key):
    """One request, and its answer, in the history."""
    operation = history.invoke(key)
    try:
        answer = client.call(key=key, body={"key": key}, headers={"X-Request-Id": operation.id})
    except (BrokenOff, OSError):
        operation.lost()
        raise
    operation.took(answer)
    return answer


def executed_in(history):
    """A handler that answers as the default one, and tells the history."""

    def handler(exchange):
        execution = history.execute(exchange.request)
        answer = json.dumps({"execution": exchange.execution})
        execution.answers(200, answer.encode())
        exchange.answer(200, answer, {"Content-Type": "application/json"})

    return handler


class Load:
    """64 connections sending keys, each key now and then twice, until the program is gone."""

    def __init__(self, address, round_number, history):
        self.address = address
        self.history = history
        self.round = round_number
        self.random = random.Random(round_number)
        self.sent = set()
        self.answers = {}  # key: (status, body) as the client got it
        self.wrong = []
        self.changed = threading.Condition()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(CONNECTIONS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def run(self, number):
        generator = random.Random(f"{self.round}-{number}")
        try:
            with Client(self.address) as client:
                while True:
                    self.send_one(client, f"{self.round}-{generator.randrange(KEYS)}")
        except (BrokenOff, OSError):
            pass

    def send_one(self, client, key):
        with self.changed:
            self.sent.add(key)
        answer = ask(client, self.history, key)
        with self.changed:
            if answer.decision in ("forwarded", "replayed"):
                got = (answer.status, answer.body)
                if self.answers.setdefault(key, got) != got:
                    self.wrong.append(f"{key} answered {got} and {self.answers[key]}")
                self.changed.notify_all()
            elif answer.decision != "in-flight":
                self.wrong.append(f"{key}: {answer}")

    def wait_for_answers(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.answers) >= count, 60)

    def join(self):
        for thread in self.threads:
            thread.join(60)


def check(proxy, upstream, load):
    """After the restart: every key of the round, answered or not."""
    assert not load.wrong
    with Client(proxy.data) as client:
        for key, (status, body) in load.answers.items():
            again = ask(client, load.history, key)
            assert (again.decision, again.status, again.body) == ("replayed", status, body), key
        for key in load.sent - load.answers.keys():
            executed_before = upstream.executions[key]
            answer = ask(client, load.history, key)
            # Either it never was reserved, or its outcome is unknown, or it was completed and only
            # the answer got lost.
            assert answer.decision in ("forwarded", "held", "replayed"), (key, answer)
            if answer.decision == "forwarded":
                assert executed_before == 0, key
    twice = {key: n for key, n in upstream.executions.items() if n > 1}
    assert not twice, "executed more than once within the lease"


@pytest.mark.parametrize("sync", ["all", "none"])
def test_kill_9_under_load_executes_nothing_twice(stage, sync):
    history = History()
    upstream = stage.upstream(executed_in(history))
    proxy = stage.proxy(upstream, [policy(lease="1h")], store={"rocksdb": {"sync": sync}})
    loads = []
    history.started()
    for number in range(ROUNDS):
        load = Load(proxy.data, number, history)
        load.start()
        load.wait_for_answers(load.random.randint(50, 400))
        history.killed()
        proxy.kill9()
        load.join()
        proxy.restart()
        history.started()
        check(proxy, upstream, load)
        loads.append(load)
    for load in loads[:-1]:
        check(proxy, upstream, load)
    # A policy's window is 24 hours unless it says otherwise.
    wrong = faults(history, Terms(lease=3600, window=24 * 3600))
    assert not wrong, f"{len(wrong)} keys, among them:\n" + "\n".join(wrong[:3])


def test_a_reservation_whose_process_died_is_held_until_its_lease_ends(stage):
    upstream = stage.upstream(lambda exchange: exchange.connection.over.wait(60))
    proxy = stage.proxy(upstream, [policy(lease="60s")])
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
        proxy.kill9()
    proxy.restart()
    answer = once(proxy.data, request(key="a"))
    assert (answer.status, answer.decision, answer.problem) == (409, "held", "outcome-unknown")
    assert 1 <= int(answer["retry-after"]) <= 60
    assert upstream.executions["a"] == 1


def test_every_kind_of_answer_survives_a_crash(stage):
    body = bytes(range(256)) * 400

    def answer(exchange):
        number = exchange.execution
        if number == 1:
            exchange.answer(201, body, {"X-Kind": "binary"}, chunked=True)
        elif number == 2:
            exchange.answer(204)
        else:
            exchange.answer(422, {"error": "no"})

    upstream = stage.upstream(answer)
    proxy = stage.proxy(upstream)
    before = [once(proxy.data, request(key=key)) for key in "abc"]
    proxy.kill9()
    proxy.restart()
    after = [once(proxy.data, request(key=key)) for key in "abc"]
    for old, new in zip(before, after):
        assert new.decision == "replayed"
        assert (new.status, new.body, new["x-kind"]) == (old.status, old.body, old["x-kind"])
    assert after[0].body == body
    assert sum(upstream.executions.values()) == 3

"""kill -9 of processes that share a database, and crashes and failovers of the database itself, while 64
clients send requests. The whole history is checked by the rules of harness/exactly_once.py and by porcupine
(harness/linearizability.py)."""

import os
import random

import pytest

from harness import policy
from harness.exactly_once import Terms, faults
from harness.history import History
from harness.linearizability import check
from harness.postgres import Postgres
from harness.replicas import Crowd, Replicas, Service, ask_all

LONG = os.environ.get("ONCEPROXY_LONG") == "1"
KILLS = int(os.environ.get("ONCEPROXY_REPLICA_KILLS", "60" if LONG else "9"))
RESTARTS = int(os.environ.get("ONCEPROXY_DATABASE_RESTARTS", "60" if LONG else "5"))
PROMOTIONS = int(os.environ.get("ONCEPROXY_PROMOTIONS", "200" if LONG else "20"))
OPERATIONS = int(os.environ.get("ONCEPROXY_LINEARIZABILITY_OPERATIONS", "100000" if LONG else "5000"))
LEASE, WINDOW = 3, 3600
REPLICATED = Terms(LEASE, WINDOW, shared=True, grace=20, replicated=True)
TERMS = Terms(LEASE, WINDOW, shared=True, grace=20)


@pytest.fixture(scope="module")
def replicated():
    """A primary with a synchronous standby."""
    made = Postgres(standby=True)
    yield made
    made.close()


def orders():
    return policy(lease=f"{LEASE}s", window=f"{WINDOW}s",
                  in_flight={"action": "wait", "timeout": "5s"}, replay={"max_body": 4096})


class Run:
    """Three processes, a service of changing moods, and a crowd that asks."""

    def __init__(self, stage, database, name, moods=True, terms=TERMS):
        self.history, self.terms = History(), terms
        self.replicas = Replicas(stage, self.history, Service(self.history, moods, work=0.02),
                                 [orders()], database.store())
        self.generator = random.Random(name)
        self.crowd = Crowd(self.replicas, self.history, name, pause=0.01)

    def under_load(self):
        """Waits for a while that is never the same, in answers."""
        self.crowd.wait_for_answers(self.generator.randint(50, 400))

    def judge(self):
        """Stops, asks for every key once more, and looks at it all."""
        self.crowd.stop()
        ask_all(self.replicas, self.history, self.crowd.keys)
        wrong = faults(self.history, self.terms)
        assert not wrong, f"{len(wrong)} keys, among them:\n" + "\n".join(wrong[:3])
        print(check(self.history, self.terms))


def test_kill_9_of_any_process_at_any_moment(stage, database):
    run = Run(stage, database, "kills")
    for kill in range(KILLS):
        run.under_load()
        number = run.generator.randrange(3)
        run.replicas.kill(number)
        if kill % 3 == 2:  # two at once
            other = (number + 1) % 3
            run.replicas.kill(other)
            run.replicas.revive(other)
        run.replicas.revive(number)
    run.judge()


def test_crashes_of_the_database_under_load(stage, replicated, directory):
    database = replicated.database().migrate(directory)
    run = Run(stage, database, "restarts", terms=REPLICATED)
    for _ in range(RESTARTS):
        run.under_load()
        replicated.primary.restart("immediate")
        replicated.standby_streams()
    run.under_load()
    run.judge()


def test_promotions_of_the_standby_under_load(stage, replicated, directory):
    database = replicated.database().migrate(directory)
    run = Run(stage, database, "promotions", terms=REPLICATED)
    for _ in range(PROMOTIONS):
        run.under_load()
        replicated.promote()
        replicated.replace_standby()
    run.under_load()
    run.judge()


def test_a_long_history_of_all_clients_is_linearizable(stage, database):
    run = Run(stage, database, "long", moods=True)
    while len(run.history.operations) < OPERATIONS:
        run.crowd.wait_for_answers(min(500, OPERATIONS // 4))
        number = run.generator.randrange(3)
        run.replicas.kill(number)
        run.replicas.revive(number)
    run.judge()

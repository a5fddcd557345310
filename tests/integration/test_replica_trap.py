"""Rows that PostgreSQL's primary shows before its standby has them must not be replayed. A failover would
lose them, and the operation would have been executed without being remembered. With `durability: quorum` such
a row is neither a reservation nor a replay."""

import threading

import pytest

from harness import Client, PATIENCE, StartFailed, eventually, policy, request
from harness.client import once
from harness.postgres import Postgres
from harness.upstream import executed_after

LEASE = 3


@pytest.fixture
def replicated():
    made = Postgres(standby=True)
    yield made
    made.close()


@pytest.fixture
def pair(stage, replicated, directory):
    """Makes two processes in front of an upstream."""
    database = replicated.database().migrate(directory)

    def make(upstream, **changes):
        rules = policy(lease=f"{LEASE}s", window="1h", **changes)
        return [stage.proxy(upstream, [rules], store=database.store(), workers=1) for _ in range(2)]

    make.database = database
    return make


RESERVED, COMPLETED = 1, 2


def rows(database, state):
    """How many operations the primary shows in that state."""
    return int(database.value(f"SELECT count(*) FROM onceproxy.operations WHERE state = {state}"))


# The only decisions that are allowed while no standby has the row.
NOTHING_PROMISED = ("store-error", "held", "in-flight")


def leave_unreplicated(replicated, database, state):
    """Cancels waits for the standby until the primary shows a row that the standby lacks. PostgreSQL
    tells its writer of success, with a warning."""
    eventually(lambda: replicated.waiting() > 0, "a commit waits for the standby")

    def visible():
        replicated.cancel_waits()
        return rows(database, state) == 1

    eventually(visible, "the row is visible")


def test_a_reservation_that_the_standby_lacks_is_not_forwarded(stage, upstream, replicated, pair):
    one, other = pair(upstream)
    replicated.link.stall()
    with Client(one.data) as client:
        client.send(request(key="k"))
        leave_unreplicated(replicated, pair.database, RESERVED)
        answer = client.read("POST")
        assert (answer.status, answer.problem) == (503, "store-unavailable")
    # Nor does the other process take it for anything.
    assert once(other.data, request(key="k")).decision in NOTHING_PROMISED
    assert upstream.requests == []


def test_a_completion_that_the_standby_lacks_is_never_replayed(stage, replicated, pair):
    """The trap: pause the standby, cancel the wait, restart, promote."""
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    one, other = pair(upstream)
    with Client(one.data) as client:
        client.send(request(key="k"))
        upstream.wait_for_requests(1)
        replicated.link.stall()
        finish.set()
        leave_unreplicated(replicated, pair.database, COMPLETED)
        for proxy in (other, one, other):
            assert once(proxy.data, request(key="k")).decision in NOTHING_PROMISED
        # A restart of the primary leaves it behind just the same.
        replicated.primary.restart("immediate")
        assert rows(pair.database, COMPLETED) == 1
        for proxy in (other, one):
            assert once(proxy.data, request(key="k")).decision in NOTHING_PROMISED
        # Who knows the outcome may record it again, so it goes.
        one.kill9()
    # The failover loses the completion. What is left is the reservation, and its lease.
    replicated.promote()
    replicated.replace_standby()
    assert rows(pair.database, COMPLETED) == 0
    replayed = set()

    def again():
        answer = once(other.data, request(key="k"))
        replayed.add(answer.decision)
        return answer.decision == "forwarded"

    eventually(again, "the operation is forwarded again, when the lease is over")
    assert "replayed" not in replayed
    one.restart()
    for proxy in (one, other):
        answer = once(proxy.data, request(key="k"))
        assert (answer.decision, answer.json["execution"]) == ("replayed", 2)


def test_a_row_is_replayed_once_the_standby_has_it(stage, replicated, pair):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    one, other = pair(upstream)
    with Client(one.data) as client:
        client.send(request(key="k"))
        upstream.wait_for_requests(1)
        replicated.link.stall()
        finish.set()
        leave_unreplicated(replicated, pair.database, COMPLETED)
        assert once(other.data, request(key="k")).decision != "replayed"
        replicated.link.mend()
        eventually(lambda: once(other.data, request(key="k")).decision == "replayed",
                   "the standby has it")
        client.read("POST")
    assert len(upstream.requests) == 1


def test_while_the_standby_is_paused_nothing_is_forwarded_and_then_all_is_well(
        stage, upstream, replicated, pair):
    one, other = pair(upstream)
    assert once(one.data, request(key="known")).decision == "forwarded"
    replicated.standby.pause()
    answer = once(one.data, request(key="new"))
    assert answer.problem == "store-unavailable"
    assert upstream.executions["new"] == 0
    replicated.standby.resume()
    eventually(lambda: once(other.data, request(key="new")).decision in ("forwarded", "replayed"),
               "it is forwarded", within=2 * PATIENCE)
    eventually(lambda: once(one.data, request(key="new")).decision == "replayed", "it is replayed")
    assert upstream.executions == {"known": 1, "new": 1}


@pytest.mark.parametrize("setting, value", [("synchronous_standby_names", ""),
                                            ("synchronous_commit", "local")])
def test_a_server_that_waits_for_no_standby_is_refused_with_quorum(
        stage, upstream, replicated, pair, setting, value):
    replicated.primary.set(setting, value)
    eventually(lambda: replicated.value(f"SHOW {setting}") == value, "the setting is in force")
    proxy = stage.proxy(upstream, start=False, store=pair.database.store())
    with pytest.raises(StartFailed) as failed:
        proxy.start()
    assert setting in failed.value.output
    assert "durability: primary" in failed.value.output


def test_a_server_that_ceases_to_wait_is_noticed_while_it_runs(stage, upstream, replicated, pair):
    one, _ = pair(upstream)
    assert once(one.data, request(key="a")).decision == "forwarded"
    replicated.primary.set("synchronous_standby_names", "")

    def refused():
        answer = once(one.data, request(key=f"b-{len(upstream.requests)}"))
        return answer.decision == "store-error"

    eventually(refused, "nothing is promised any more")
    replicated.primary.set("synchronous_standby_names", "ANY 1 (a, b)")
    eventually(lambda: once(one.data, request(key="c")).decision in ("forwarded", "replayed"),
               "all is well again")

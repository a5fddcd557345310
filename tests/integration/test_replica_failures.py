"""Failures of the database: requests are refused with a clear reason, nothing is forwarded without a
reservation, and the store recovers by itself when the database is back."""

import contextlib
import subprocess
import threading
import time

import pytest

from harness import Client, PATIENCE, eventually, policy, request
from harness.client import BrokenOff, once
from harness.link import Link
from harness.postgres import ROLE, Postgres
from harness.upstream import executed

LEASE = 2
# A request is never kept longer than this while the database does not answer.
REFUSED_WITHIN = 10.0


def rules():
    careful = policy(lease=f"{LEASE}s", window="1h")
    trusting = policy(name="trusting", match={"methods": ["POST"], "path": "/trusting"},
                      lease=f"{LEASE}s", window="1h", on_store_error="forward")
    return [careful, trusting]


@pytest.fixture
def link(database):
    with Link(database.postgres.primary.address) as made:
        yield made


@pytest.fixture
def two(stage, upstream, database, link):
    """Two processes whose network to the database is the test's."""
    url = database.url(link.address)
    return [stage.proxy(upstream, rules(), store=database.store(url), workers=1) for _ in range(2)]


@contextlib.contextmanager
def cut(database, link):
    link.cut()
    yield
    link.mend()


@contextlib.contextmanager
def stalled(database, link):
    link.stall()
    yield
    link.mend()


@contextlib.contextmanager
def too_many_connections(database, link):
    database.postgres.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT 0")
    database.disconnect()
    yield
    database.postgres.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")


@contextlib.contextmanager
def locked(database, link):
    """Every statement on the table waits until it times out."""
    session = subprocess.Popen(database.postgres.primary.psql(database.name), text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    session.stdin.write("BEGIN; LOCK TABLE onceproxy.operations IN ACCESS EXCLUSIVE MODE;\n")
    session.stdin.flush()
    eventually(lambda: database.value(
        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted "
        "AND relation = 'onceproxy.operations'::regclass") == "1", "the table is locked")
    yield
    session.stdin.close()
    session.wait(PATIENCE)


@contextlib.contextmanager
def without_permission(database, link):
    database.postgres.sql(f"REVOKE CONNECT ON DATABASE {database.name} FROM PUBLIC")
    database.postgres.sql(f"ALTER DATABASE {database.name} OWNER TO postgres")
    database.disconnect()
    yield
    database.postgres.sql(f"ALTER DATABASE {database.name} OWNER TO {ROLE}")


@contextlib.contextmanager
def down(database, link):
    database.postgres.primary.stop("fast")
    yield
    database.postgres.primary.start()


@contextlib.contextmanager
def away(database, link):
    """The tables are gone, as where somebody restored another database."""
    database.sql("ALTER SCHEMA onceproxy RENAME TO elsewhere")
    yield
    database.sql("ALTER SCHEMA elsewhere RENAME TO onceproxy")


FAILURES = [cut, stalled, too_many_connections, locked, without_permission, down, away]


def store_errors(proxy):
    return proxy.metrics().sum("onceproxy_store_errors_total")


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_a_database_that_fails_is_reported_and_used_again_when_it_works(two, upstream, database, link, failure):
    one, other = two
    assert once(one.data, request(key="known")).decision == "forwarded"
    before = store_errors(one)
    with failure(database, link):
        for number in range(3):
            begun = time.monotonic()
            answer = once(one.data, request(key=f"new-{number}"))
            assert (answer.status, answer.problem) == (503, "store-unavailable"), answer
            assert time.monotonic() - begun < REFUSED_WITHIN
        assert once(other.data, request(key="other")).problem == "store-unavailable"
        # A policy that prefers an answer to a promise.
        answer = once(one.data, request(target="/trusting", key="trusting"))
        assert answer.status == 200
        assert store_errors(one) > before
    assert set(upstream.executions) == {"known", "trusting"}
    for proxy in two:
        eventually(lambda p=proxy: once(p.data, request(key="fresh")).decision
                   in ("forwarded", "replayed"), "it serves again")
    for number in range(3):
        # What failed may have been reserved all the same; then its lease must end first.
        eventually(lambda n=number: once(other.data, request(key=f"new-{n}")).decision
                   in ("forwarded", "replayed"), "what was refused is let through")
    assert once(other.data, request(key="known")).decision == "replayed"
    assert {upstream.executions[key] for key in ("known", "fresh", "new-0", "new-1", "new-2")} == {1}
    eventually(lambda: one.metrics().sum("onceproxy_store_healthy") == 1, "it is healthy")


@pytest.mark.parametrize("failure", [cut, stalled, down], ids=lambda failure: failure.__name__)
def test_an_answer_that_could_not_be_recorded_is_never_followed_by_a_second_execution_within_the_lease(
        stage, database, link, failure):
    finish, began = threading.Event(), []

    def handler(exchange):
        began.append(time.monotonic())
        if exchange.execution == 1:
            finish.wait(PATIENCE)
        executed(exchange)

    upstream = stage.upstream(handler)
    url = database.url(link.address)
    one, other = [stage.proxy(upstream, rules(), store=database.store(u), workers=1)
                  for u in (url, url)]
    with Client(one.data) as client:
        sent = time.monotonic()
        client.send(request(key="k"))
        upstream.wait_for_requests(1)
        with failure(database, link):
            finish.set()
            try:
                first = client.read("POST")
            except BrokenOff:
                first = None
        answers = []

        def ask_again():
            answers.append(once(other.data, request(key="k")))
            return answers[-1].decision in ("forwarded", "replayed")

        eventually(ask_again, "the operation is done")
    last = answers[-1]
    if last.decision == "replayed":
        assert last.json["execution"] == 1  # it was recorded after all
    else:
        assert len(began) == 2 and began[1] - sent >= LEASE
    if first is not None and first.decision == "forwarded":
        # A client that got an answer never gets another one.
        assert last.body == first.body


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_a_request_under_a_lease_that_ends_is_cut_off_unless_the_policy_only_watches(
        stage, database, link, mode):
    finish = threading.Event()

    def handler(exchange):
        finish.wait(PATIENCE)
        executed(exchange)

    upstream = stage.upstream(handler)
    watching = policy(lease=f"{LEASE}s", window="1h", enforcement={"mode": mode})
    one = stage.proxy(upstream, [watching], store=database.store(database.url(link.address)), workers=1)
    with Client(one.data) as client:
        client.send(request(key="k"))
        upstream.wait_for_requests(1)
        link.cut()
        if mode == "enforce":
            assert client.read("POST").status != 200
        else:
            # Longer than the lease lasts without a renewal.
            assert not upstream.connections[0].over.wait(3 * LEASE)
            finish.set()
            assert client.read("POST").status == 200
        finish.set()
    link.mend()


def test_sessions_that_are_terminated_under_load_cost_no_second_execution(two, upstream, database):
    stop, answers = threading.Event(), []

    def ask(number):
        count = 0
        while not stop.is_set():
            key = f"{number}-{count}"
            for proxy in two:
                answers.append((key, once(proxy.data, request(key=key))))
            count += 1

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        seen = len(answers)
        eventually(lambda: len(answers) > seen + 20, "answers come")
        database.disconnect()
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert max(upstream.executions.values()) == 1
    told = {}
    for key, answer in answers:
        if answer.decision in ("forwarded", "replayed"):
            assert told.setdefault(key, answer.body) == answer.body
    assert len(told) > 20


def test_a_standby_in_the_place_of_the_primary_is_not_written_to(stage, upstream, directory):
    postgres = Postgres(standby=True)
    try:
        database = postgres.database().migrate(directory)
        with Link(postgres.primary.address) as link:
            proxy = stage.proxy(upstream, rules(), store=database.store(database.url(link.address)))
            assert once(proxy.data, request(key="a")).decision == "forwarded"
            link.target = postgres.standby.address
            link.drop()
            assert once(proxy.data, request(key="b")).problem == "store-unavailable"
            link.target = postgres.primary.address
            link.drop()
            eventually(lambda: once(proxy.data, request(key="b")).decision in ("forwarded", "replayed"),
                       "it serves again")
            assert once(proxy.data, request(key="a")).decision == "replayed"
    finally:
        postgres.close()


def test_a_primary_that_does_not_answer_is_left_when_its_standby_is_promoted(stage, upstream, directory):
    """Its connections stay, so nothing but the new primary shows that it is over."""
    postgres = Postgres(standby=True)
    try:
        database = postgres.database().migrate(directory)
        # Few connections, so that all of them are of the old primary.
        store = database.store(durability="primary", connections=1)
        proxies = [stage.proxy(upstream, rules(), store=store, workers=1) for _ in range(2)]
        threads = [threading.Thread(target=once, args=(proxies[n % 2].data, request(key=f"a-{n}")))
                   for n in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        postgres.primary.pause()
        postgres.link.cut()
        postgres.primary, postgres.standby = postgres.standby, None
        postgres.primary.control("promote")
        postgres.primary.set("synchronous_standby_names", "")
        for number, proxy in enumerate(proxies):
            eventually(lambda p=proxy, n=number: once(p.data, request(key=f"b-{n}")).decision
                       in ("forwarded", "replayed"), "it uses the new primary")
        for proxy in proxies:
            eventually(lambda p=proxy: p.metrics().sum("onceproxy_store_healthy") == 1, "it is healthy")
        assert max(upstream.executions.values()) == 1
    finally:
        postgres.close()


def test_connections_that_lead_nowhere_are_left_while_the_database_is_well(stage, database, link):
    """What is sent on them is acknowledged by something in between, and never arrives."""
    finish, lease = threading.Event(), 12

    def handler(exchange):
        if exchange.request["idempotency-key"] == "long":
            finish.wait(PATIENCE)
        executed(exchange)

    upstream = stage.upstream(handler)
    # One connection, so that there is no room for another one beside it.
    store = database.store(database.url(link.address), connections=1)
    one = stage.proxy(upstream, [policy(lease=f"{lease}s", window="1h")], store=store, workers=1)
    with Client(one.data) as client:
        client.send(request(key="long"))
        upstream.wait_for_requests(1)
        link.swallow()
        eventually(lambda: once(one.data, request(key="new")).decision in ("forwarded", "replayed"),
                   "it serves again")
        # The lease of the first request is renewed nevertheless.
        assert not upstream.connections[0].over.wait(lease + 3)
        finish.set()
        assert client.read("POST").status == 200
    eventually(lambda: one.metrics().sum("onceproxy_store_healthy") == 1, "it is healthy")
    assert set(upstream.executions.values()) == {1}


def test_a_database_far_away_is_reached_within_the_time_to_connect(stage, upstream, database, link):
    """A session needs a few round trips, not one for each statement that it prepares."""
    link.delay = 0.08
    one = stage.proxy(upstream, rules(), store=database.store(database.url(link.address)), workers=1)
    eventually(lambda: once(one.data, request(key="a")).decision in ("forwarded", "replayed"), "it serves")

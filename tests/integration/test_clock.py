"""Wrong clocks at the start and while the program runs, and what operators see of them."""

import threading
import time

import pytest

from harness import eventually, policy, request
from harness.client import once
from harness.process import run
from harness.wall_clock import WallClock

YEAR = 365 * 86400


@pytest.fixture
def clock(directory):
    return WallClock(directory)


def breaking(exchange):
    """The key "lost" gets no answer."""
    if b"lost" in exchange.request.head:
        exchange.connection.close()
    else:
        exchange.answer(201, b"done")


def keep(stage, clock, **changes):
    """A program that has kept ten answers and one unknown outcome, and has ended."""
    proxy = stage.proxy(stage.upstream(breaking), [policy(outcome={"unknown": "hold"})],
                        variables=clock.variables, **changes)
    for n in range(10):
        assert once(proxy.data, request(key=f"k-{n}")).decision == "forwarded"
    assert once(proxy.data, request(key="lost")).status == 502
    proxy.terminate()
    return proxy


def check_kept(proxy):
    assert {once(proxy.data, request(key=f"k-{n}")).decision for n in range(10)} == {"replayed"}
    assert once(proxy.data, request(key="lost")).decision == "held"


def doubted(proxy):
    return proxy.metrics().sum("onceproxy_store_clock_doubted") == 1


@pytest.mark.parametrize("wrong", [10 * YEAR, -10 * YEAR])
def test_within_a_boot_a_start_with_a_wrong_clock_forgets_nothing(stage, clock, wrong):
    proxy = keep(stage, clock)
    clock.set(wrong)
    proxy.restart()
    check_kept(proxy)
    assert not doubted(proxy)
    offset = proxy.metrics().sum("onceproxy_store_clock_offset_seconds")
    assert abs(offset - wrong) < 60
    proxy.terminate()
    clock.set(0)
    proxy.restart()
    check_kept(proxy)


@pytest.mark.parametrize("wrong", [10 * YEAR, -10 * YEAR])
def test_in_another_boot_a_clock_that_cannot_be_believed_is_said_and_purges_nothing(
        stage, clock, wrong):
    proxy = keep(stage, clock)
    clock.boot()
    clock.set(wrong)
    proxy.restart()
    check_kept(proxy)
    assert doubted(proxy)
    assert "clock in doubt" in proxy.stderr.text()
    assert "--accept-clock" in proxy.stderr.text()
    status, text = proxy.operator.call("GET", "/ready")
    assert status == 200
    assert text.startswith("LIVE\nclock in doubt: the wall clock is ")
    # Set right while it runs, it is believed again.
    clock.set(3600)
    eventually(lambda: not doubted(proxy), "an end of the doubt")
    assert proxy.operator.call("GET", "/ready") == (200, "LIVE\n")
    assert "can be believed again" in proxy.stderr.text()
    check_kept(proxy)


def test_an_operator_accepts_a_clock_and_is_not_asked_again(stage, clock):
    proxy = keep(stage, clock)
    clock.boot()
    clock.set(YEAR)
    proxy.arguments.append("--accept-clock")
    proxy.restart()
    assert not doubted(proxy)
    # The windows are over.
    assert once(proxy.data, request(key="k-0")).decision == "forwarded"
    proxy.terminate()
    proxy.arguments.remove("--accept-clock")
    clock.boot()
    proxy.restart()
    assert not doubted(proxy)


def test_a_weekends_downtime_does_not_suppress_mondays_alert(stage, clock):
    proxy = keep(stage, clock)
    clock.boot()
    clock.set(60 * 3600)
    proxy.restart()
    assert not doubted(proxy)
    assert once(proxy.data, request(key="k-0")).decision == "forwarded"


def test_how_much_downtime_is_believed_is_configured(stage, clock):
    proxy = keep(stage, clock, store={"clock_ahead_max": "2h"})
    clock.boot()
    clock.set(3 * 3600)
    proxy.restart()
    assert doubted(proxy)
    check_kept(proxy)


def test_a_clock_that_is_set_while_it_runs_is_followed_slowly_and_said(stage, clock):
    proxy = stage.proxy(stage.upstream(), variables=clock.variables)
    assert once(proxy.data, request(key="k")).decision == "forwarded"
    clock.set(48 * 3600)
    eventually(lambda: "the wall clock was set 2 days on" in proxy.stderr.text(), "a log line")
    assert not doubted(proxy)
    # Its window of a day is not over.
    assert once(proxy.data, request(key="k")).decision == "replayed"
    offset = proxy.metrics().sum("onceproxy_store_clock_offset_seconds")
    assert 48 * 3600 - 60 < offset < 48 * 3600 + 60


def interrupted(stage, lease, **changes):
    """A program that is killed while the service works on the request "k". When it was killed."""
    begun = threading.Event()
    release = threading.Event()

    def handler(exchange):
        if not begun.is_set():
            begun.set()
            release.wait(60)
            exchange.connection.close()
        else:
            exchange.answer(201, b"done")

    proxy = stage.proxy(stage.upstream(handler), [policy(lease=lease, **changes)])
    client = threading.Thread(target=lambda: ask_in_vain(proxy.data), daemon=True)
    client.start()
    assert begun.wait(60)
    return proxy, release


def ask_in_vain(address):
    try:
        once(address, request(key="k"))
    except Exception:
        pass


@pytest.mark.parametrize("renewals", [0, 1])
def test_after_a_kill_a_short_lease_runs_its_whole_length_and_no_longer(stage, renewals):
    proxy, release = interrupted(stage, "1s")

    def lease_ends():
        return proxy.operator.get("/records?state=reserved")["items"][0]["lease_ends"]

    # The lease on disk is counted from its last renewal.
    for _ in range(renewals):
        before = lease_ends()
        eventually(lambda: lease_ends() != before, "a renewal")
    killed = time.monotonic()
    proxy.kill9()
    proxy.restart()
    started = time.monotonic()
    eventually(lambda: once(proxy.data, request(key="k")).decision != "held", "the lease's end")
    release.set()
    freed = time.monotonic()
    assert freed - killed > 1
    # Loosely, for a busy machine: what is on disk alone would let it go on for three.
    assert freed - started < 2.5


def test_after_a_kill_and_the_lease_a_reservation_is_unknown_and_can_be_resolved(stage):
    proxy, release = interrupted(stage, "1s", outcome={"unknown": "hold"})
    proxy.kill9()
    release.set()
    proxy.restart()
    operator = proxy.operator
    eventually(lambda: operator.get("/records?state=unknown")["items"], "an unknown outcome")
    assert operator.get("/records?state=reserved")["items"] == []
    record = operator.get("/records?state=unknown")["items"][0]
    assert record["state"] == "unknown"
    assert record["error"] == "no request holds the reservation any more"
    host, port = proxy.admin
    listed = run("records", "list", "--admin", f"{host}:{port}", "--state", "unknown")
    assert record["fingerprint"] in listed.stdout
    resolved = run("records", "resolve", "--admin", f"{host}:{port}", record["fingerprint"])
    assert resolved.returncode == 0
    assert operator.get("/records?state=completed")["items"][0]["fingerprint"] == record[
        "fingerprint"]
    # Done, with no answer to replay.
    assert once(proxy.data, request(key="k")).decision == "not-replayable"

"""A lease that adapts to the time that the service takes."""

import threading

from harness import crowd, eventually, policy, request
from harness.client import once
from harness.process import run

# A floor that hides what is learnt of a quick service alone.
QUICK = {"response_timeout": "2s"}


def adaptive(**more):
    return policy(lease={"adaptive": {"min": "100ms", "max": "10m"}}, **more)


def state(proxy, name="orders"):
    (found,) = [each for each in proxy.operator.get("/policies")["items"] if each["name"] == name]
    return found


def learn(proxy, count=25):
    for n in range(count):
        assert once(proxy.data, request(key=f"learn-{n}")).status == 200


def test_a_lease_follows_what_the_service_takes(stage):
    slow = stage.upstream(lambda exchange: (threading.Event().wait(0.8), exchange.answer(200, b"")))
    proxy = stage.proxy(slow, [adaptive(), policy(name="fixed", match={"path": "/fixed"},
                                                  lease="7s")], upstream=QUICK)
    before = state(proxy)
    assert before["lease_ms"] == 600_000 and before["adaptive_lease"]["observed"] == 0
    assert state(proxy, "fixed")["lease_ms"] == 7_000 and "adaptive_lease" not in state(proxy, "fixed")
    crowd(proxy.data, [request(key=f"k{n}") for n in range(25)])
    after = state(proxy)
    learnt = after["adaptive_lease"]
    assert learnt["observed"] == 25 and learnt["p99_ms"] >= 800
    assert after["lease_ms"] == 3 * learnt["p99_ms"]
    assert proxy.metrics().values("onceproxy_lease_seconds", policy="orders") == [
        after["lease_ms"] / 1000]
    assert proxy.metrics().values("onceproxy_lease_seconds", policy="fixed") == [7]


def test_the_estimate_survives_a_restart_and_a_reload(stage, upstream):
    proxy = stage.proxy(upstream, [adaptive()], upstream=QUICK)
    learn(proxy)
    learnt = state(proxy)["adaptive_lease"]
    assert proxy.operator.post("/reload")[0] == 200
    assert state(proxy)["adaptive_lease"] == learnt
    proxy.terminate()
    proxy.restart()
    assert state(proxy)["adaptive_lease"] == learnt


def test_a_lease_is_never_below_the_time_after_which_a_forward_is_given_up(stage, upstream):
    proxy = stage.proxy(upstream, [adaptive()], upstream={"response_timeout": "40s"})
    learn(proxy)
    found = state(proxy)
    assert found["adaptive_lease"]["never_below_ms"] == 40_000
    assert found["lease_ms"] >= 40_000


def test_an_unknown_outcome_is_held_for_the_lease_that_was_learnt(stage):
    broken = threading.Event()

    def answer(exchange):
        if broken.is_set():
            exchange.connection.close()
        else:
            exchange.answer(200, b"")

    proxy = stage.proxy(stage.upstream(answer), [adaptive()], upstream=QUICK)
    broken.set()
    assert once(proxy.data, request(key="early")).status == 502
    broken.clear()
    learn(proxy)
    broken.set()
    assert once(proxy.data, request(key="late")).status == 502
    broken.clear()
    # The one is held for ten minutes, the other for what three times the service's time is.
    assert once(proxy.data, request(key="early")).decision == "held"
    eventually(lambda: once(proxy.data, request(key="late")).decision == "forwarded",
               "the lease is over")
    assert once(proxy.data, request(key="early")).decision == "held"


def test_explain_tells_what_the_lease_is_made_of(stage, upstream, directory):
    proxy = stage.proxy(upstream, [adaptive()], upstream=QUICK)
    message = directory / "request"
    message.write_bytes(request(key="a"))
    told = run("explain", "-c", str(proxy.config), str(message))
    assert told.returncode == 0, told.stderr
    assert ("lease         adaptive: three times the 99th percentile of its forwards, from 100ms to 10m, "
            "never below 2s (upstream.response_timeout)") in told.stdout


def test_bounds_that_cannot_be_are_refused(stage, upstream, directory):
    proxy = stage.proxy(upstream, [policy(lease={"adaptive": {"min": "1m", "max": "5s"}})],
                        start=False)
    told = run("check", str(proxy.config))
    assert told.returncode == 1 and "max is less than min" in told.stderr

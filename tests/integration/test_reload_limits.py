"""Limits that a reload changes while requests wait for them or use them."""

import re
import threading

import pytest

from harness import Client, eventually, policy, request
from harness.client import once
from harness.config import merge
from harness.reload import ask, changed, reload, rename_over
from harness.upstream import executed, executed_after


def test_limits_change_live(proxy):
    big = request(key="k-1", body=b"x" * 2000)
    with Client(proxy.data) as client:
        assert client.exchange(big).status == 200
        reload(proxy, changed(proxy, limits={"body_bytes": "1KiB"}))
        assert client.exchange(big).status == 413
    reload(proxy, proxy.settings)
    assert once(proxy.data, big).status == 200


@pytest.mark.parametrize("single, several", [
    ({"upstream": {"max_concurrency": 1}}, {"upstream": {"max_concurrency": 2}}),
    ({"upstream": {"max_concurrency": 1}}, {"upstream": {"max_concurrency": 0}}),
    ({"upstream": {"max_connections": 1}}, {"upstream": {"max_connections": 2}}),
    ({"policies": [policy(max_concurrency=1)]}, {"policies": [policy(max_concurrency=2)]}),
    ({"policies": [policy(max_concurrency=1)]}, {"policies": [policy()]}),
    ({"policies": [policy(max_concurrency=1)]}, {"policies": []}),
])
def test_a_limit_that_grows_lets_waiting_requests_continue(stage, single, several):
    answer_now = threading.Event()
    upstream = stage.upstream(executed_after(answer_now))
    patient = {"upstream": {"connect_timeout": "60s"}}
    proxy = stage.proxy(upstream, **merge(patient, single))
    with Client(proxy.data) as first, Client(proxy.data) as second:
        first.send(request(key="k-1"))
        upstream.wait_for_requests(1)
        second.send(request(key="k-2"))
        # The second is read and waits; a third connection's answer says that the loop came by.
        eventually(lambda: "rq_pending_active::1\n" in ask(proxy, "GET", "/clusters")[1]
                   or "policies" in single, "a request that waits")
        reload(proxy, merge(merge(proxy.settings, patient), several))
        upstream.wait_for_requests(2)
        answer_now.set()
        assert first.read("POST").status == second.read("POST").status == 200


def test_a_reload_that_fails_late_leaves_the_limits_as_they_are(stage, directory):
    answer_now = threading.Event()

    def slow_on_orders(exchange):
        if exchange.request.target != "/other":
            answer_now.wait()
        executed(exchange)

    upstream = stage.upstream(slow_on_orders)
    proxy = stage.proxy(upstream, policies=[policy(max_concurrency=1)], workers=1)
    with Client(proxy.data) as first, Client(proxy.data) as second, Client(proxy.data) as third:
        first.send(request(key="k-1"))
        upstream.wait_for_requests(1)
        # A file that is opened when the new policies have been made already.
        rename_over(proxy.config, changed(
            proxy, [policy()], log={"capture": {"path": str(directory / "missing" / "file")}}))
        assert ask(proxy, "POST", "/reload")[0] == 500
        second.send(request(key="k-2"))
        # Two rounds of the one worker, so that it has read the second request.
        for _ in range(2):
            assert third.exchange(request(target="/other")).status == 200
        assert [one["idempotency-key"] for one in upstream.requests if one.target != "/other"] == ["k-1"]
        answer_now.set()
        assert first.read("POST").status == second.read("POST").status == 200


def test_a_limit_that_shrinks_holds_once_those_under_way_have_ended(stage):
    answer_now = threading.Event()
    upstream = stage.upstream(executed_after(answer_now))
    proxy = stage.proxy(upstream, upstream={"max_connections": 8})
    clients = [Client(proxy.data) for _ in range(4)]
    for number, client in enumerate(clients):
        client.send(request(key=f"k-{number}"))
    upstream.wait_for_requests(4)
    reload(proxy, changed(proxy, upstream={"max_connections": 1}))
    answer_now.set()
    for client in clients:
        assert client.read("POST").status == 200
        client.close()
    # None where two workers gave theirs up at once, each seeing the other's.
    eventually(lambda: re.search("::cx_active::[01]\n", ask(proxy, "GET", "/clusters")[1]),
               "one connection at most")
    assert once(proxy.data, request(key="k-9")).status == 200

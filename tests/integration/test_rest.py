"""The check that runs after every test finds leaked resources."""

import threading

import pytest

from harness import Client, eventually, policy, request
from harness.rest import Rest


def test_a_connection_that_stays_is_found(proxy):
    with Client(proxy.data) as client:
        assert client.call(key="a").status == 200
        with pytest.raises(AssertionError, match="client-connection.*socket"):
            proxy.rest.check(within=0.2)
    proxy.rest.check()


def test_a_request_that_does_not_end_is_found(stage):
    finish = threading.Event()
    upstream = stage.upstream(lambda exchange: finish.wait(60) and exchange.answer())
    proxy = stage.proxy(upstream, [policy(max_concurrency=2)], upstream={"max_concurrency": 2})
    try:
        with Client(proxy.data) as client:
            client.send(request(key="a"))
            upstream.wait_for_requests(1)
        eventually(lambda: proxy.rest.left().keys() >= {
            "client-connection", "upstream-connection", "turn", "policy-turn", "reservation",
            "socket"}, "all that the request holds")
    finally:
        finish.set()
    proxy.rest.check()


def test_connections_that_are_kept_are_at_rest(proxy, upstream):
    with Client(proxy.data) as client:
        assert client.call(key="a").status == 200
    proxy.rest.check()
    assert proxy.metrics().sum("onceproxy_upstream_connections_idle") == 1
    assert Rest(proxy).before["socket"] == proxy.rest.before["socket"] + 1

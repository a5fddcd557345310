"""A service that can process only one request at a time never gets two, also if the client of the first one
has left. The slot of that request is held until the service has answered or closed the connection."""

import threading
import time

import pytest

from harness import Client, eventually, policy, request
from harness.client import once
from harness.upstream import executed

QUICK = {"response_timeout": "300ms", "idle_timeout": "300ms", "connect_timeout": "200ms"}


class Service:
    """Works on what is called slow until it is told to end, and notes how many it works on."""

    def __init__(self, begin=lambda exchange: None, end=executed):
        self.begin, self.end = begin, end
        self.finish = threading.Event()
        self.at_work = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, exchange):
        with self.lock:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
        try:
            if exchange.request["idempotency-key"] == "slow":
                self.begin(exchange)
                self.finish.wait(60)
                self.end(exchange)
            else:
                executed(exchange)
        finally:
            with self.lock:
                self.at_work -= 1


def single_file(stage, service, of="upstream", **upstream):
    """A proxy that lets one request at a time through to `service`."""
    policies = [policy(lease="60s")]
    upstream = {**QUICK, **upstream}
    if of == "upstream":
        upstream["max_concurrency"] = 1
    else:
        policies[0]["max_concurrency"] = 1
    return stage.proxy(stage.upstream(service), policies, upstream=upstream)


def abandoned(proxy):
    return proxy.metrics().sum("onceproxy_abandoned_requests")


def ended(proxy, how):
    return proxy.metrics().sum("onceproxy_abandoned_requests_total", end=how)


def send(proxy, key, target="/orders"):
    return once(proxy.data, request(key=key, target=target))


def check_turn_is_taken(proxy, target="/orders"):
    answer = send(proxy, "other", target)
    assert (answer.status, answer.problem) == (503, "busy")


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
@pytest.mark.parametrize("of", ["upstream", "policy"])
def test_a_turn_is_kept_until_the_service_has_answered(stage, of, target):
    if (of, target) == ("policy", "/uncovered"):
        pytest.skip("no policy, no turn")
    service = Service()
    proxy = single_file(stage, service, of)
    assert send(proxy, "slow", target).status == 504
    eventually(lambda: abandoned(proxy) == 1, "it is abandoned")
    check_turn_is_taken(proxy, target)
    service.finish.set()
    eventually(lambda: ended(proxy, "answered") == 1 and abandoned(proxy) == 0, "its end")
    assert send(proxy, "other", target).status == 200
    assert service.most == 1
    if target == "/orders":  # the late answer changes nothing
        assert send(proxy, "slow").decision == "held"


def test_a_turn_is_kept_until_the_service_closes_the_connection(stage):
    service = Service(end=lambda exchange: exchange.connection.close())
    proxy = single_file(stage, service)
    assert send(proxy, "slow").status == 504
    check_turn_is_taken(proxy)
    service.finish.set()
    eventually(lambda: ended(proxy, "closed") == 1, "its end")
    assert send(proxy, "other").decision == "forwarded"
    assert service.most == 1


def begins(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegin")


def test_a_turn_is_kept_where_the_answer_stops_within_its_body(stage):
    service = Service(begins, lambda exchange: exchange.send(b"ended"))
    proxy = single_file(stage, service)
    assert send(proxy, "slow").status == 504
    check_turn_is_taken(proxy)
    service.finish.set()
    eventually(lambda: ended(proxy, "answered") == 1, "its end")
    assert send(proxy, "other").decision == "forwarded"
    assert service.most == 1


def test_a_turn_is_kept_where_the_client_leaves_while_it_is_answered(stage):
    """The service goes on, whoever listens."""
    piece = b"x" * 65536

    def stream(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not service.finish.wait(0.01):
            exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))

    service = Service(stream, lambda exchange: exchange.send(b"0\r\n\r\n"))
    proxy = single_file(stage, service)
    with Client(proxy.data) as client:
        client.send(request(key="slow", target="/uncovered"))
        assert client.receive()
    eventually(lambda: abandoned(proxy) == 1, "it is abandoned")
    check_turn_is_taken(proxy)
    service.finish.set()
    eventually(lambda: ended(proxy, "answered") == 1, "its end")
    assert send(proxy, "other").decision == "forwarded"
    assert service.most == 1


def test_a_turn_is_kept_no_longer_than_the_abandoned_timeout(stage):
    service = Service()
    proxy = single_file(stage, service, abandoned_timeout="1s")
    assert send(proxy, "slow").status == 504
    eventually(lambda: ended(proxy, "timeout") == 1, "the time is over")
    assert abandoned(proxy) == 0
    assert send(proxy, "other").decision == "forwarded"
    assert any("abandoned_timeout" in line["message"] for line in proxy.stderr.json())
    service.finish.set()


def test_where_nothing_bounds_requests_under_way_the_connection_is_closed(stage):
    closed = threading.Event()

    def slow(exchange):
        assert exchange.connection.receive() == b""
        closed.set()

    proxy = stage.proxy(stage.upstream(slow), [policy()], upstream=QUICK)
    assert send(proxy, "slow").status == 504
    assert closed.wait(60)
    assert proxy.metrics().sum("onceproxy_abandoned_requests_total") == 0


def test_a_drain_does_not_wait_for_abandoned_requests(stage):
    service = Service()
    proxy = single_file(stage, service)
    assert send(proxy, "slow").status == 504
    eventually(lambda: abandoned(proxy) == 1, "it is abandoned")
    began = time.monotonic()
    assert proxy.terminate() == 0
    assert time.monotonic() - began < 20  # --drain-time
    assert "drain time is over" not in proxy.stderr.text()
    service.finish.set()


def test_a_reload_that_drops_the_policy_does_not_take_a_turn_away(stage):
    service = Service()
    proxy = single_file(stage, service, of="policy")
    assert send(proxy, "slow").status == 504
    eventually(lambda: abandoned(proxy) == 1, "it is abandoned")
    proxy.settings["policies"] = [policy(name="payments")]
    for _ in range(2):  # nobody keeps the rules before the ones before
        proxy.configure(proxy.settings)
        once(proxy.admin, b"POST /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    service.finish.set()
    eventually(lambda: ended(proxy, "answered") == 1, "its end")
    assert send(proxy, "other").decision == "forwarded"


def test_a_request_that_is_sent_again_keeps_the_turn_that_it_has(stage):
    """A kept connection that ends unanswered: a GET is repeated, with max_concurrency 1 too."""
    again = threading.Event()

    def handler(exchange):
        if exchange.request.target == "/lost" and not again.is_set():
            again.set()
            exchange.connection.close()
        else:
            executed(exchange)

    upstream = stage.upstream(handler)
    proxy = stage.proxy(upstream, workers=1, upstream={"max_concurrency": 1})
    with Client(proxy.data) as client:
        assert client.exchange(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
        assert client.exchange(b"GET /lost HTTP/1.1\r\nHost: a\r\n\r\n").status == 200

"""All bodies that arrive slowly share one memory limit, so a few slow clients do not block the others."""

import contextlib
import threading

import pytest

from harness import Client, eventually, policy, request
from harness.client import once

MIB = 1024 * 1024
KIB = 1024


def begin(proxy, key, size, missing=1, framing="length", headers=()):
    """A client that has sent all of its body but the end."""
    client = Client(proxy.data)
    head = ["POST /orders HTTP/1.1", "Host: a", f"Idempotency-Key: {key}", *headers]
    body = b"x" * (size - missing)
    if framing == "length":
        head.append(f"Content-Length: {size}")
    else:
        head.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%s" % (size, body)
    client.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    return client


def buffered(proxy, of="bodies"):
    return proxy.metrics().sum("onceproxy_buffered_bytes", of=of)


def shed(proxy, of="bodies"):
    return proxy.metrics().sum("onceproxy_buffers_shed_total", of=of)


@pytest.fixture
def crowded(stage, upstream):
    """A proxy that keeps 1 MiB of bodies that are still arriving."""
    return stage.proxy(upstream, limits={"body_bytes": "512KiB", "buffered_bytes": "1MiB"})


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_slowest_body_gets_408_when_too_much_is_arriving(crowded, upstream, framing):
    size = 256 * KIB
    with contextlib.ExitStack() as stack:
        clients = []
        while not shed(crowded):
            key = f"slow-{len(clients)}"
            clients.append(stack.enter_context(begin(crowded, key, size, framing=framing)))
            expected = len(clients) * (size - 1)
            eventually(lambda: shed(crowded) or buffered(crowded) >= expected, "it has come")
        assert len(clients) <= 8
        answer = clients[0].read("POST")
        assert (answer.status, answer.decision) == (408, "bad-request")
        assert answer.problem == "bad-request"
        assert clients[0].ends() == b""
        clients[-1].send(b"x" if framing == "length" else b"x\r\n0\r\n\r\n")
        assert clients[-1].read("POST").decision == "forwarded"
    assert "slow-0" not in upstream.executions
    refused = eventually(lambda: [line for line in crowded.access_log() if line["status"] == 408],
                         "the access log's line")
    assert "slowest" in refused[0]["error"]
    metrics = crowded.metrics()
    assert metrics.sum("onceproxy_bad_requests_total", reason="slow-body") >= 1
    assert metrics.sum("onceproxy_buffered_bytes_limit", of="bodies") == MIB
    eventually(lambda: buffered(crowded) == 0, "all is given back")


def test_slow_bodies_starve_no_quick_one(crowded):
    """Many more stalled bodies than fit, and a client that sends its own in two pieces."""
    with contextlib.ExitStack() as stack:
        for n in range(20):
            stack.enter_context(begin(crowded, f"slow-{n}", 256 * KIB))
        eventually(lambda: shed(crowded) >= 16, "no more than four are left")
        for n in range(20):
            client = stack.enter_context(begin(crowded, f"quick-{n}", 300 * KIB, missing=1000))
            client.send(b"x" * 1000)
            assert client.read("POST").decision == "forwarded"
        assert buffered(crowded) <= MIB


def test_bodies_that_come_with_their_head_do_not_count(stage, upstream):
    proxy = stage.proxy(upstream, limits={"body_bytes": "64KiB", "buffered_bytes": "64KiB"})
    with begin(proxy, "slow", 60 * KIB):
        eventually(lambda: buffered(proxy) >= 59 * KIB, "it is there")
        for n in range(50):
            assert once(proxy.data, request(key=f"k{n}", body={"n": n})).decision == "forwarded"
        assert shed(proxy) == 0


def test_a_policy_that_only_watches_refuses_no_body(stage, upstream):
    """What would be refused goes on, with what has come of it already."""
    proxy = stage.proxy(upstream, [policy(enforcement={"mode": "shadow"})],
                        limits={"body_bytes": "512KiB", "buffered_bytes": "1MiB"})
    with contextlib.ExitStack() as stack:
        clients = {}
        for framing in ("length", "chunked"):
            for n in range(4):
                key = f"{framing}-{n}"
                clients[key] = stack.enter_context(begin(proxy, key, 400 * KIB, framing=framing))
        eventually(lambda: shed(proxy) >= 5, "most are too much")
        for key, client in clients.items():
            client.send(b"x" if key.startswith("length") else b"x\r\n0\r\n\r\n")
            assert client.read("POST").status == 200
    assert sorted(upstream.executions) == sorted(clients)
    assert all(each.body_size == 400 * KIB for each in upstream.requests)


def test_one_body_of_the_largest_size_always_fits(stage, upstream):
    proxy = stage.proxy(upstream, limits={"body_bytes": "2MiB", "buffered_bytes": "64KiB"})
    with begin(proxy, "large", 2 * MIB) as client:
        client.send(b"x")
        assert client.read("POST").decision == "forwarded"


def test_a_bound_that_a_reload_lowers_holds_for_bodies_under_way(stage, upstream):
    proxy = stage.proxy(upstream, limits={"body_bytes": "512KiB", "buffered_bytes": "4MiB"})
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(begin(proxy, f"slow-{n}", 400 * KIB)) for n in range(4)]
        eventually(lambda: buffered(proxy) >= 4 * 399 * KIB, "all are there")
        proxy.settings["limits"]["buffered_bytes"] = "1MiB"
        proxy.configure(proxy.settings)
        eventually(lambda: proxy.metrics().sum("onceproxy_buffered_bytes_limit", of="bodies") == MIB,
                   "the reload")
        begin(proxy, "late", 100 * KIB).close()
        eventually(lambda: shed(proxy) >= 2, "the slowest are refused")
        assert slow[0].read("POST").status == 408


def test_an_answer_that_there_is_no_room_to_keep_reaches_its_client_whole(stage):
    finish = threading.Event()
    body = b"y" * (200 * KIB)

    def slow(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        exchange.send(body[:-1])
        finish.wait()
        exchange.send(body[-1:])

    upstream = stage.upstream(slow)
    proxy = stage.proxy(upstream, limits={"buffered_bytes": "256KiB", "body_bytes": "64KiB"})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(proxy.data)) for _ in range(3)]
        for n, client in enumerate(clients):
            client.send(request(key=f"k{n}"))
        eventually(lambda: shed(proxy, "answers") == 2, "two are not kept")
        finish.set()
        for client in clients:
            answer = client.read("POST")
            assert (answer.status, answer.decision) == (200, "forwarded")
            assert answer.body == body
    again = [once(proxy.data, request(key=f"k{n}")).decision for n in range(3)]
    assert sorted(again) == ["not-replayable", "not-replayable", "replayed"]
    assert len(upstream.requests) == 3
    eventually(lambda: buffered(proxy, "answers") == 0, "all is given back")


def test_requests_that_wait_for_the_upstream_are_bounded_by_what_they_take(stage):
    finish = threading.Event()

    def slow(exchange):
        finish.wait()
        exchange.answer(200, b"ok")

    upstream = stage.upstream(slow)
    proxy = stage.proxy(upstream, upstream={"max_concurrency": 1, "connect_timeout": "60s"},
                        limits={"buffered_bytes": "64KiB", "body_bytes": "64KiB"})
    with contextlib.ExitStack() as stack:
        def send(key):
            client = stack.enter_context(Client(proxy.data))
            client.send(request(key=key, body=b"z" * (40 * KIB)))
            return client

        first = send("first")
        upstream.wait_for_requests(1)
        second = send("second")
        eventually(lambda: buffered(proxy, "waiters") > 40 * KIB, "it waits")
        third = send("third").read("POST")
        assert (third.status, third.decision) == (503, "busy")
        finish.set()
        assert first.read("POST").status == second.read("POST").status == 200
    assert shed(proxy, "waiters") == 1
    assert "third" not in upstream.executions
    eventually(lambda: buffered(proxy, "waiters") == 0, "all is given back")
    assert once(proxy.data, request(key="third")).decision == "forwarded"

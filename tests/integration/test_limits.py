"""Every limit and every timeout: requests are refused with the documented status, and the process keeps
running."""

import threading

import pytest

from harness import Client, crowd, eventually, policy, request
from harness.client import BrokenOff, once
from harness.upstream import executed


@pytest.fixture
def limited(stage, upstream):
    def start(upstream_changes=None, policies=None, **limits):
        changes = {"upstream": upstream_changes} if upstream_changes else {}
        return stage.proxy(upstream, policies, limits=limits, **changes)

    return start


def check_refused(client, status):
    answer = client.read("POST")
    assert (answer.status, answer.problem) == (status, "bad-request")
    assert answer.closes
    client.buffer.clear()
    assert client.ends() == b""


def test_a_head_above_its_limit_is_431(limited, upstream):
    proxy = limited(head_bytes="2KiB")
    with Client(proxy.data) as client:
        client.send(request(key="a", headers={"X-Pad": "p" * 2048}))
        check_refused(client, 431)
    assert upstream.bytes_received == 0
    assert once(proxy.data, request(key="a", headers={"X-Pad": "p" * 1500})).status == 200


def test_a_target_above_the_heads_limit_is_414(limited, upstream):
    proxy = limited(head_bytes="2KiB")
    with Client(proxy.data) as client:
        client.send(request(target="/" + "t" * 3000))
        check_refused(client, 414)
    assert upstream.bytes_received == 0


def test_more_fields_than_the_limit_are_431(limited):
    proxy = limited(headers=10)
    fields = [(f"X-{n}", "1") for n in range(7)]
    assert once(proxy.data, request(key="a", headers=fields)).status == 200
    with Client(proxy.data) as client:
        client.send(request(key="a", headers=fields + [("X-8", "1")]))
        check_refused(client, 431)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_covered_body_above_its_limit_is_413(limited, upstream, chunked):
    proxy = limited(body_bytes="4KiB")
    with Client(proxy.data) as client:
        data = request(key="a", body=b"b" * 4097)
        if chunked:
            data = data.replace(b"Content-Length: 4097\r\n\r\n",
                                b"Transfer-Encoding: chunked\r\n\r\n1001\r\n") + b"\r\n0\r\n\r\n"
        client.send(data)
        check_refused(client, 413)
    assert upstream.bytes_received == 0
    assert once(proxy.data, request(key="a", body=b"b" * 4096)).status == 200
    assert once(proxy.data, request(target="/uncovered", body=b"b" * 100_000)).status == 200


@pytest.mark.parametrize("part", [b"", b"POST /or", b"POST /orders HTTP/1.1\r\nHost: a\r\nX: "],
                         ids=["nothing", "half a line", "half a head"])
def test_a_head_that_does_not_come_in_time_is_408(limited, upstream, part):
    """Nothing at all is an idle connection: closed without a word or with 408."""
    proxy = limited(head_timeout="1s", idle_timeout="1s")
    with Client(proxy.data) as client:
        client.send(part)
        if part:
            check_refused(client, 408)
        else:
            rest = client.ends()
            assert rest == b"" or rest.startswith(b"HTTP/1.1 408")
    assert upstream.bytes_received == 0


def test_a_head_that_drips_is_cut_off_all_the_same(limited):
    """The limit is on the whole head: a byte now and then does not extend it."""
    proxy = limited(head_timeout="1s")
    dripping = threading.Event()
    with Client(proxy.data) as client:
        client.send(b"POST /orders HTTP/1.1\r\n")

        def drip():
            while not dripping.wait(0.2):
                client.send(b"X: 1\r\n")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert client.read("POST").status == 408
            client.ends()
        finally:
            dripping.set()
            thread.join()


def test_a_covered_body_that_does_not_come_in_time_is_408(limited, upstream):
    proxy = limited(body_timeout="1s")
    with Client(proxy.data) as client:
        client.send(request(key="a", body="hello")[:-1])
        check_refused(client, 408)
    assert upstream.bytes_received == 0
    assert once(proxy.data, request(key="a", body="hello")).decision == "forwarded", "nothing reserved"


def test_a_streamed_body_that_stops_is_broken_off(limited, upstream):
    proxy = limited(body_timeout="1s")
    with Client(proxy.data) as client:
        client.send(request(target="/uncovered", body="hello")[:-1])
        try:
            assert client.read("POST").status == 408
        except BrokenOff:
            pass
        client.ends()
    assert not upstream.requests


def test_an_idle_connection_is_closed(limited):
    proxy = limited(idle_timeout="1s")
    with Client(proxy.data) as client:
        assert client.call(key="a").status == 200
        assert client.ends() == b""


def test_connections_above_the_limit_are_not_served_until_one_is_free(limited):
    proxy = limited(connections=4)
    open_clients = [Client(proxy.data) for _ in range(4)]
    for n, client in enumerate(open_clients):
        assert client.call(key=f"key-{n}").status == 200
    with Client(proxy.data, timeout=2) as fifth:
        try:
            assert fifth.call(key="fifth").status == 503
        except (BrokenOff, TimeoutError):
            pass  # closed at once, or left waiting
    for client in open_clients:
        assert client.call(key="again").status == 200
        client.close()

    def served():
        try:
            return once(proxy.data, request(key="after")).status == 200
        except (BrokenOff, ConnectionError):
            return False

    eventually(served, "a free place is used")


def test_reservations_above_the_limit_are_busy(stage):
    finish = threading.Event()

    def slow(exchange):
        if exchange.request["idempotency-key"] != "after":
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(slow)
    proxy = stage.proxy(upstream, limits={"pending": 3})
    clients = [Client(proxy.data) for _ in range(3)]
    for n, client in enumerate(clients):
        client.send(request(key=f"key-{n}"))
    upstream.wait_for_requests(3)
    refused = once(proxy.data, request(key="more"))
    duplicate = once(proxy.data, request(key="key-0"))
    finish.set()
    assert (refused.status, refused.decision, refused.problem) == (503, "busy", "busy")
    assert refused["retry-after"] == "1"
    assert duplicate.decision == "in-flight"
    for client in clients:
        assert client.read("POST").decision == "forwarded"
        client.close()
    eventually(lambda: once(proxy.data, request(key="after")).decision in ("forwarded", "replayed"),
               "room for more")
    assert upstream.executions["more"] == 0


def test_requests_beyond_the_upstreams_connections_wait_and_are_then_busy(stage):
    finish = threading.Event()

    def slow(exchange):
        finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(slow)
    proxy = stage.proxy(upstream, workers=1, upstream={"max_connections": 2, "connect_timeout": "1s"})
    clients = [Client(proxy.data) for _ in range(2)]
    for n, client in enumerate(clients):
        client.send(request(key=f"key-{n}"))
    upstream.wait_for_requests(2)
    refused = once(proxy.data, request(key="more"))
    assert (refused.status, refused.decision, refused.problem) == (503, "busy", "busy")
    assert refused["retry-after"] == "1"
    with Client(proxy.data) as patient:
        patient.send(request(key="more"))
        finish.set()
        assert patient.read("POST").decision in ("forwarded", "busy")
    for client in clients:
        assert client.read("POST").decision == "forwarded"
        client.close()
    assert len(upstream.connections) <= 2
    assert upstream.executions["more"] <= 1


def test_an_answer_that_stops_within_its_body_ends_after_the_idle_timeout(stage):
    stopped = threading.Event()

    def stuck(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        stopped.wait(60)

    upstream = stage.upstream(stuck)
    proxy = stage.proxy(upstream, [policy(lease="60s")], upstream={"idle_timeout": "1s"})
    try:
        answer = once(proxy.data, request(key="a"))
        assert answer.status in (502, 504)
    except BrokenOff:
        pass
    with pytest.raises(BrokenOff):
        once(proxy.data, request(target="/uncovered"))
    again = once(proxy.data, request(key="a"))
    stopped.set()
    assert again.decision == "held"


def test_a_flood_of_connections_that_say_nothing_does_not_stop_the_others(stage, upstream):
    proxy = stage.proxy(upstream, limits={"head_timeout": "60s"})
    silent = [Client(proxy.data) for _ in range(300)]
    for client in silent:
        client.send(b"POST /orders HTTP/1.1\r\nX: ")
    answers = crowd(proxy.data, [request(key=f"key-{n}") for n in range(100)])
    assert {answer.decision for answer in answers} == {"forwarded"}
    for client in silent:
        client.close()

"""HTTP/1.1 and HTTP/1.0 according to RFC 9110 and 9112, for covered requests and for others."""

import threading

import pytest

from harness import Client, crowd, eventually, request
from harness.client import once
from harness.upstream import executed

TARGETS = ["/orders", "/uncovered"]


@pytest.mark.parametrize("target", TARGETS)
def test_expect_100_continue_is_answered_before_the_body(stage, target):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    whole = request(target=target, key="a", body="hello", headers={"Expect": "100-continue"})
    head, body = whole[:-5], whole[-5:]
    with Client(proxy.data) as client:
        client.send(head)
        while b"\r\n\r\n" not in client.buffer:
            assert client.receive(), "no interim answer"
        assert client.buffer.startswith(b"HTTP/1.1 100 ")
        client.send(body)
        answer = client.read("POST")
    assert answer.status == 200
    assert [status for status, _ in answer.interim] == [100]
    assert upstream.requests[0].body == b"hello"


def test_a_refusal_before_the_body_needs_no_body(proxy, upstream):
    with Client(proxy.data) as client:
        client.send(request(body="", headers={"Expect": "100-continue", "X-Pad": "1"}).replace(
            b"Content-Length: 0", b"Content-Length: 9999999"))
        answer = client.read("POST")
        assert answer.status == 413
        assert not answer.interim, "not invited, for it was too large"
        client.ends()
    assert upstream.bytes_received == 0


def test_an_unknown_expectation_is_417_or_ignored(proxy):
    assert once(proxy.data, request(key="a", headers={"Expect": "x-magic"})).status in (200, 400, 417)


def test_expect_of_an_http_1_0_client_is_ignored(proxy):
    data = request(key="a", body="x", headers={"Expect": "100-continue"})
    answer = once(proxy.data, data.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert (answer.status, answer.interim) == (200, [])


@pytest.mark.parametrize("declared", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""],
                         ids=["length", "chunked", "nothing"])
def test_an_answer_to_head_has_no_body_whatever_it_declares(stage, declared):
    upstream = stage.upstream(lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\n" + declared + b"\r\n"))
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        for _ in range(3):
            answer = client.call("HEAD", "/x")
            assert (answer.status, answer.body) == (200, b"")
            assert answer["content-length"] == ("5" if b"Length" in declared else None)
        assert len(upstream.connections) == 1, "the upstream's connection is kept"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("declared", [b"", b"Content-Length: 0\r\n"], ids=["bare", "length 0"])
def test_answers_that_have_no_body(stage, target, status, declared):
    upstream = stage.upstream(
        lambda exchange: exchange.send(b"HTTP/1.1 %d Nothing\r\n" % status + declared + b"\r\n"))
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        for n in range(3):
            answer = client.call(target=target, key="same" if n else "other")
            assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize("target", TARGETS)
def test_interim_answers_do_not_replace_the_real_one(stage, target):
    def hints(exchange):
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        executed(exchange)

    upstream = stage.upstream(hints)
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        answer = client.call(target=target, key="a")
        assert (answer.status, answer.json) == (200, {"execution": 1})
        assert all(100 <= status < 200 for status, _ in answer.interim)
        again = client.call(target="/orders", key="a")
    if target == "/orders":
        assert (again.decision, again.interim) == ("replayed", [])


def test_a_100_from_the_upstream_is_no_answer(stage):
    def go_on(exchange):
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        executed(exchange)

    proxy = stage.proxy(stage.upstream(go_on))
    assert once(proxy.data, request(key="a", body="x")).status == 200


@pytest.mark.parametrize("target", TARGETS)
def test_pipelined_requests_are_answered_in_their_order(stage, target):
    def echo(exchange):
        exchange.answer(200, exchange.request["idempotency-key"])

    upstream = stage.upstream(echo)
    proxy = stage.proxy(upstream)
    keys = [f"key-{n}" for n in range(50)]
    with Client(proxy.data) as client:
        client.send(b"".join(request(target=target, key=key, body="b" * 100) for key in keys))
        assert [client.read("POST").body.decode() for _ in keys] == keys
    assert [r["idempotency-key"] for r in upstream.requests] == keys


def test_pipelined_covered_uncovered_refused_and_replayed_requests_keep_their_order(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(request(key="a") + request("GET", "/x") + request() + request(key="a")
                    + request("HEAD", "/y") + request(key="b"))
        statuses = [client.read(m).status for m in ("POST", "GET", "POST", "POST", "HEAD", "POST")]
    assert statuses == [200, 200, 400, 200, 200, 200]
    assert len(upstream.requests) == 4


def test_a_request_cut_into_single_bytes_is_one_request(proxy, upstream):
    with Client(proxy.data) as client:
        for byte in request(key="a", body="hello"):
            client.send(bytes([byte]))
        assert client.read("POST").decision == "forwarded"
    assert upstream.requests[0].body == b"hello"


def test_an_empty_line_before_a_request_is_ignored(proxy):
    """RFC 9112 2.2."""
    with Client(proxy.data) as client:
        assert client.exchange(b"\r\n" + request(key="a"), "POST").status == 200


@pytest.mark.parametrize("target", TARGETS)
def test_one_connection_serves_many_requests_over_one_upstream_connection(stage, target):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        for n in range(30):
            answer = client.call(target=target, key=f"key-{n}", body={"n": n})
            assert answer.status == 200 and not answer.closes
    assert len(upstream.connections) == 1


def test_connection_close_is_honoured(proxy):
    with Client(proxy.data) as client:
        assert client.call(key="a", headers={"Connection": "close"}).closes
        assert client.ends() == b""


@pytest.mark.parametrize("target", TARGETS)
def test_an_upstream_that_closes_does_not_close_the_client(stage, target):
    def closing(exchange):
        exchange.answer(200, b"ok", {"Connection": "close"})
        exchange.connection.close()

    proxy = stage.proxy(stage.upstream(closing))
    with Client(proxy.data) as client:
        for n in range(5):
            answer = client.call(target=target, key=f"key-{n}")
            assert answer.body == b"ok" and not answer.closes


@pytest.mark.parametrize("target", TARGETS)
def test_an_http_1_0_client_gets_what_it_understands(stage, target):
    """No chunks, and the connection closes unless it asked to keep it."""
    upstream = stage.upstream(lambda exchange: exchange.answer(200, b"abcdef", chunked=True))
    proxy = stage.proxy(upstream)
    data = request(target=target, key="a").replace(b"HTTP/1.1", b"HTTP/1.0")
    with Client(proxy.data) as client:
        answer = client.exchange(data)
        assert (answer.status, answer.body) == (200, b"abcdef")
        assert answer.framing in ("length", "close")
        assert client.ends() == b""
    assert upstream.requests[0].minor == 1


def test_an_http_1_0_client_may_keep_its_connection(proxy):
    data = request("GET", "/x", headers={"Connection": "keep-alive"}).replace(b"HTTP/1.1", b"HTTP/1.0")
    with Client(proxy.data) as client:
        for _ in range(3):
            answer = client.exchange(data)
            assert not answer.closes


def test_an_http_1_0_request_without_a_host_is_taken_or_refused_but_not_forwarded_without(proxy, upstream):
    answer = once(proxy.data, b"GET /x HTTP/1.0\r\n\r\n", "GET")
    assert answer.status in (200, 400)
    for seen in upstream.requests:
        assert seen["host"]


def test_an_http_1_0_upstream_is_understood(stage):
    def old(exchange):
        exchange.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold")
        exchange.connection.close()

    proxy = stage.proxy(stage.upstream(old))
    with Client(proxy.data) as client:
        for target in TARGETS:
            answer = client.call(target=target, key="a")
            assert (answer.status, answer.body, answer.minor) == (200, b"old", 1)


@pytest.mark.parametrize("target", TARGETS)
def test_a_chunked_request_arrives_whole(stage, target):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    data = request(target=target, key="a").replace(b"Content-Length: 0", b"Transfer-Encoding: Chunked")
    with Client(proxy.data) as client:
        client.send(data + b"5\r\nhello\r\n00006;x=1\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert client.read("POST").status == 200
        assert client.call("GET", "/after").status == 200
    assert upstream.requests[0].body == b"hello world"
    assert upstream.requests[0]["x-trailer"] is None


def test_the_same_body_in_chunks_is_the_same_payload(proxy):
    chunked = request(key="a").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    assert once(proxy.data, chunked + b"5\r\nhello\r\n0\r\n\r\n", "POST").decision == "forwarded"
    assert once(proxy.data, request(key="a", body="hello")).decision == "replayed"


def test_date_is_added_where_the_upstream_sends_none(proxy):
    assert once(proxy.data, request("GET", "/x"))["date"]


def test_single_file_mode_lets_one_request_through_at_a_time(stage):
    inside, overlaps = threading.Semaphore(1), []

    def watch(exchange):
        if not inside.acquire(blocking=False):
            overlaps.append(exchange.request["idempotency-key"])
        else:
            # Until all that are left hold their reservations and wait: a second one would be here.
            left = 41 - len(upstream.requests)
            eventually(lambda: overlaps or reserved() == left, f"{left} that are reserved")
            inside.release()
        executed(exchange)

    def reserved():
        return proxy.metrics().sum("onceproxy_store_reservations")

    upstream = stage.upstream(watch)
    proxy = stage.proxy(upstream, upstream={"max_concurrency": 1, "connect_timeout": "30s"})
    answers = crowd(proxy.data, [request(key=f"key-{n}", body={"n": n}) for n in range(40)])
    assert {answer.decision for answer in answers} == {"forwarded"}
    assert not overlaps
    assert len(upstream.requests) == 40


def test_a_unix_socket_upstream_is_reached(stage, directory):
    upstream = stage.upstream(path=directory / "up.sock")
    proxy = stage.proxy(upstream)
    assert [once(proxy.data, request(key="a")).decision for _ in range(2)] == ["forwarded", "replayed"]
    assert upstream.executions["a"] == 1

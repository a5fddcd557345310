"""Answers that are not valid HTTP, or longer than announced: they are refused, and no part of them reaches a
client."""

import pytest

from harness import Client, policy
from test_upstream_failures import check_held, send


@pytest.mark.parametrize("junk", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"],
                         ids=["a byte", "a whole answer"])
def test_unsolicited_bytes_on_an_idle_connection_reach_no_client(stage, junk):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    assert send(proxy, "first").decision == "forwarded"
    idle = upstream.connections[0]
    idle.send(junk)
    assert idle.closed_by_proxy(), "the connection is given up"
    for n in range(5):
        answer = send(proxy, f"key-{n}")
        assert answer.json == {"execution": n + 2}


@pytest.mark.parametrize("junk", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"],
                         ids=["a byte", "a whole answer"])
@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_bytes_behind_an_answer_reach_no_client(stage, junk, target):
    def more(exchange):
        number = exchange.execution
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%d" % (len(str(number)), number)
                      + junk)

    upstream = stage.upstream(more)
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        for n in range(1, 6):
            answer = client.call(key=f"key-{n}", target=target)
            assert (answer.status, answer.body) == (200, str(n).encode())
        assert not client.buffer


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "no HTTP": b"hello there, this is no HTTP\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "listed lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
    "folded line": b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
    "bare CR": b"HTTP/1.1 200 OK\r\nX: 1\r2\r\nContent-Length: 0\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n",
    "space before a colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "head above 64 KiB": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "a 101 nobody asked for": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "11 interim answers": b"HTTP/1.1 103 Hints\r\n\r\n" * 11 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "chunk size that is none": CHUNKED + b"xyz\r\n",
    "second chunk without a size": CHUNKED + b"5\r\nhello\r\n\r\n",
    "chunk extension that is no token": CHUNKED + b"5;{a}\r\nhello\r\n0\r\n\r\n",
    "events in no chunks": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\ndata: 1\n\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_is_502_and_an_unknown_outcome(stage, name):
    def malformed(exchange):
        exchange.send(MALFORMED[name])
        exchange.connection.closed_by_proxy()

    upstream = stage.upstream(malformed)
    proxy = stage.proxy(upstream, [policy(lease="60s")])
    answer = send(proxy)
    assert (answer.status, answer.decision) == (502, "upstream-error")
    assert answer.problem == "upstream-unreachable"
    check_held(send(proxy), lease=60)
    assert upstream.executions["a"] == 1


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_to_an_uncovered_request_is_502(stage, name):
    upstream = stage.upstream(lambda exchange: exchange.send(MALFORMED[name]))
    proxy = stage.proxy(upstream)
    assert send(proxy, target="/uncovered").status == 502
    assert proxy.access_log(1)[0]["decision"] == "upstream-error"
    assert upstream.connections[0].closed_by_proxy()

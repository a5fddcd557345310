"""Bodies of uncovered requests are streamed, with any size and in both directions, in little memory."""

import hashlib
import os
import threading

import pytest

from harness import Client, eventually, request
from harness.message import parse_head

MIB = 1024 * 1024
LONG = os.environ.get("ONCEPROXY_LONG") == "1"
LARGE = 5 * 1024 * MIB if LONG else 300 * MIB
GROWTH = 64 * MIB
PIECE = hashlib.sha512(b"piece").digest() * (MIB // 64)


def swallow(exchange):
    """Reads the body as it comes and answers what it was."""
    digest, size = hashlib.sha256(), 0
    for piece in exchange.body_pieces():
        digest.update(piece)
        size += len(piece)
    exchange.answer(200, {"size": size, "sha256": digest.hexdigest(),
                          "chunked": exchange.request.chunked})


def expected_digest(size):
    digest = hashlib.sha256()
    for _ in range(size // MIB):
        digest.update(PIECE)
    return digest.hexdigest()


@pytest.fixture
def watched(stage):
    """A proxy in front of the handler, and its memory once warm."""

    def start(handler, **changes):
        upstream = stage.upstream(handler, streams=True)
        proxy = stage.proxy(upstream, **changes)
        with Client(proxy.data) as client:
            client.exchange(request("GET", "/warm"))
        return proxy, upstream, proxy.rss()

    return start


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_upload_streams_through(watched, chunked):
    proxy, _, before = watched(swallow)
    with Client(proxy.data) as client:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {LARGE}"
        client.send(f"PUT /large HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode())
        peak = 0
        for n in range(LARGE // MIB):
            client.socket.sendall(b"%x\r\n%s\r\n" % (MIB, PIECE) if chunked else PIECE)
            if n % 16 == 0:
                peak = max(peak, proxy.rss())
        if chunked:
            client.send(b"0\r\n\r\n")
        answer = client.read("PUT")
    assert answer.json == {"size": LARGE, "sha256": expected_digest(LARGE), "chunked": chunked}
    assert peak - before < GROWTH


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_download_streams_through(watched, chunked):
    def large(exchange):
        list(exchange.body_pieces())
        if exchange.request.target == "/warm":
            return exchange.answer()
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % LARGE
        exchange.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        for _ in range(LARGE // MIB):
            exchange.send(b"%x\r\n%s\r\n" % (MIB, PIECE) if chunked else PIECE)
        if chunked:
            exchange.send(b"0\r\n\r\n")

    proxy, _, before = watched(large)
    with Client(proxy.data) as client:
        client.send(request("GET", "/large"))
        while b"\r\n\r\n" not in client.buffer:
            assert client.receive()
        _, headers, size = parse_head(client.buffer)
        del client.buffer[:size]
        digest, count, peak, pieces = hashlib.sha256(), 0, 0, 0
        for piece in dechunked(client) if chunked else plain(client, LARGE):
            digest.update(piece)
            count += len(piece)
            pieces += 1
            if pieces % 256 == 0:
                peak = max(peak, proxy.rss())
        assert count == LARGE
        assert digest.hexdigest() == expected_digest(LARGE)
        assert peak - before < GROWTH
        # And the connection is good for another.
        assert client.exchange(request("GET", "/warm")).status == 200


def plain(client, size):
    while size:
        if not client.buffer:
            assert client.receive(), "broken off"
        piece = bytes(client.buffer[:size])
        del client.buffer[: len(piece)]
        size -= len(piece)
        yield piece


def dechunked(client):
    while True:
        while b"\r\n" not in client.buffer:
            assert client.receive(), "broken off"
        line, _, _ = bytes(client.buffer[:32]).partition(b"\r\n")
        size = int(line, 16)
        del client.buffer[: len(line) + 2]
        yield from plain(client, size)
        assert b"".join(plain(client, 2)) == b"\r\n"
        if not size:
            return


def test_a_reader_that_does_not_read_holds_the_sender_back(watched):
    """Back-pressure on a download: the upstream cannot get rid of more than buffers hold."""
    sent = 0
    moved = threading.Event()

    def endless(exchange):
        nonlocal sent
        list(exchange.body_pieces())
        if exchange.request.target == "/warm":
            return exchange.answer()
        total = 256 * MIB
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        for _ in range(total // MIB):
            exchange.send(PIECE)
            sent += MIB
            moved.set()

    proxy, _, before = watched(endless)
    with Client(proxy.data) as client:
        client.send(request("GET", "/endless"))
        # Until nothing moves any more for a while.
        while moved.wait(1.0):
            moved.clear()
        assert 0 < sent < 64 * MIB
        assert proxy.rss() - before < GROWTH
        while b"\r\n\r\n" not in client.buffer:
            assert client.receive()
        _, _, size = parse_head(client.buffer)
        del client.buffer[:size]
        assert sum(map(len, plain(client, 256 * MIB))) == 256 * MIB


def test_an_upstream_that_does_not_read_holds_the_sender_back(watched):
    go_on = threading.Event()

    def lazy(exchange):
        if exchange.request.target == "/warm":
            return exchange.answer()
        go_on.wait(60)
        swallow(exchange)

    proxy, _, before = watched(lazy)
    size = 256 * MIB
    with Client(proxy.data, timeout=1.0) as client:
        client.send(f"PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        sent, rest = 0, memoryview(PIECE)
        try:
            while sent < size:
                count = client.socket.send(rest)
                sent += count
                rest = rest[count:] or memoryview(PIECE)
        except TimeoutError:
            pass
        assert 0 < sent < 64 * MIB
        assert proxy.rss() - before < GROWTH
        go_on.set()
        client.socket.settimeout(60)
        while sent < size:
            count = client.socket.send(rest[: size - sent])
            sent += count
            rest = rest[count:] or memoryview(PIECE)
        assert client.read("PUT").json["size"] == size


def test_the_first_bytes_arrive_before_the_last_are_sent(stage):
    """A stream of events is passed on event by event."""
    go_on = threading.Event()

    def events(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n6\r\ndata:1\r\n")
        go_on.wait(60)
        exchange.send(b"6\r\ndata:2\r\n0\r\n\r\n")

    proxy = stage.proxy(stage.upstream(events))
    with Client(proxy.data) as client:
        client.send(request("GET", "/events"))
        while b"data:1" not in client.buffer:
            assert client.receive()
        go_on.set()
        assert client.read("GET").body == b"data:1data:2"


def test_an_uploads_first_bytes_arrive_before_its_last_are_sent(stage):
    upstream = stage.upstream(swallow, streams=True)
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        upstream.wait_for_requests(1)
        eventually(lambda: b"abc" in upstream.connections[0].kept, "the first chunk")
        client.send(b"0\r\n\r\n")
        assert client.read("PUT").json["size"] == 3


def test_an_answer_before_the_uploads_end_reaches_the_client(stage):
    """413 while the body still comes: the client gets it, and the connection ends."""
    def early(exchange):
        exchange.answer(413, b"too much", {"Connection": "close"})
        exchange.connection.over.wait(60)

    proxy = stage.proxy(stage.upstream(early, streams=True))
    with Client(proxy.data) as client:
        client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1000)
        answer = client.read("PUT")
        assert (answer.status, answer.body) == (413, b"too much")
        client.ends()


def test_a_client_that_leaves_within_its_upload_breaks_it_off_upstream(stage):
    upstream = stage.upstream(swallow, streams=True)
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        upstream.wait_for_requests(1)
    assert upstream.connections[0].closed_by_proxy()


def test_a_client_that_leaves_within_its_download_frees_the_upstream(stage):
    def endless(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            exchange.send(b"%x\r\n%s\r\n" % (MIB, PIECE))

    upstream = stage.upstream(endless)
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(request("GET", "/endless"))
        assert client.receive()
    assert upstream.connections[0].closed_by_proxy()

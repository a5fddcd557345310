"""Clients that send frames which cost the server more than themselves: each connection is closed, with
a reason that the metrics name, the memory stays as it is, and other clients are served."""

import time

import pytest

from harness import eventually
from harness.echo import Echo
from harness.frames import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY,
                            HEADERS, NO_ERROR, PADDED, PING, PRIORITY, PROTOCOL_ERROR, RST_STREAM, SETTINGS,
                            WINDOW_UPDATE, Peer, frame, message, metrics_of, number, settings)

# Memory that the allocator may take for a connection that is busy.
SLACK = 24 * 1024 * 1024
# Far more than any burst.
TIMES = 20_000


def rapid_reset(peer):
    """CVE-2023-44487: streams that are opened and reset at once."""
    head = peer.encoder.encode(peer.fields("/test.Echo/Wait", content_type="application/grpc"))
    for first in range(1, TIMES, 2000):
        pairs = (frame(HEADERS, END_HEADERS, stream, head) + frame(RST_STREAM, 0, stream, number(8))
                 for stream in range(first, first + 2000, 2))
        if peer.flood(b"".join(pairs), 1):
            return


def provoked_reset(peer):
    """CVE-2025-8671: streams that the server has to reset, each for an error of the client's."""
    head = peer.encoder.encode(peer.fields(connection="close"))
    for first in range(1, TIMES, 2000):
        if peer.flood(b"".join(frame(HEADERS, END_HEADERS, stream, head)
                               for stream in range(first, first + 2000, 2)), 1):
            return


def invalid_field(peer):
    """The same by a field whose name is not valid, which nghttp2 itself would leave out."""
    head = peer.encoder.encode(peer.fields()) + b"\0\3x y\1z"
    for first in range(1, TIMES, 1000):
        if peer.flood(b"".join(frame(HEADERS, END_HEADERS, stream, head)
                               for stream in range(first, first + 1000, 2)), 1):
            return
        # The resets are sent before too many of them wait.
        if not peer.synchronize():
            return


def large_trailers(peer):
    """The same by trailers that are too large, of requests whose handlers run."""
    trailers = b"\0\1x\1y" * 250
    for _ in range(TIMES // 10):
        stream = peer.open(peer.fields("/test.Echo/Bidi", content_type="application/grpc"))
        if peer.flood(frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers), 1):
            return


def many(data):
    return lambda peer: peer.flood(data * 100, TIMES // 100)


def empty_data(peer):
    """CVE-2019-9518."""
    peer.flood(frame(DATA, 0, peer.open()) * 100, TIMES // 100)


def padding(peer):
    """The same with a byte that says that there is no padding."""
    peer.flood(frame(DATA, PADDED, peer.open(), b"\0") * 100, TIMES // 100)


def empty_ends(peer):
    """The same with END_STREAM, for a stream that has ended."""
    peer.request(body=b"")
    peer.flood(frame(DATA, END_STREAM, 1) * 100, TIMES // 100)


def window_updates(peer):
    peer.flood(frame(WINDOW_UPDATE, 0, peer.open(), number(1)) * 100, TIMES // 100)


def continuations(peer):
    """CVE-2024-28182: a header block without an end."""
    peer.send(frame(HEADERS, 0, 1, peer.encoder.encode(peer.fields())))
    peer.flood(frame(CONTINUATION, 0, 1, peer.encoder.encode([("x", "y")])), TIMES)


def large_continuations(peer):
    peer.send(frame(HEADERS, 0, 1, peer.encoder.encode(peer.fields())))
    peer.flood(frame(CONTINUATION, 0, 1, b"\0\1x\x7f\x80\x7d" + b"y" * 16_000), TIMES)


def empty_continuations(peer):
    peer.send(frame(HEADERS, 0, 1, peer.encoder.encode(peer.fields())))
    peer.flood(frame(CONTINUATION, 0, 1), TIMES)


def ignored_continuations(peer):
    """A header block of a stream that is closed, which nghttp2 reads without a word."""
    peer.request(body=b"")
    head = peer.encoder.encode([("x", "y")])
    peer.send(frame(HEADERS, 0, 1, head))
    peer.flood(frame(CONTINUATION, 0, 1, head), TIMES)


FLOODS = {
    "rapid reset": (rapid_reset, "resets"),
    "provoked reset": (provoked_reset, "resets"),
    "invalid field": (invalid_field, "resets"),
    "large trailers": (large_trailers, "resets"),
    "ping": (many(frame(PING, payload=b"12345678")), "pings"),
    "ping acknowledged": (many(frame(PING, ACK, payload=b"12345678")), "pings"),
    "settings": (many(settings(s4=65535)), "settings"),
    "settings acknowledged": (many(frame(SETTINGS, ACK)), None),
    "empty data": (empty_data, "empty-frames"),
    "padding": (padding, "empty-frames"),
    "empty ends": (empty_ends, "empty-frames"),
    "priority": (many(frame(PRIORITY, 0, 1, number(0) + b"\x10")), "priorities"),
    "priority update": (many(frame(16, payload=number(1) + b"u=1")), "priorities"),
    "window updates": (window_updates, "window-updates"),
    "unknown frames": (many(frame(0x77, 0xff, 5, b"what")), "other-frames"),
    # The first one may end the connection before the rest is counted.
    "goaway": (many(frame(GOAWAY, payload=number(0) + number(0))), None),
    "continuations": (continuations, "continuations"),
    "large continuations": (large_continuations, "continuations"),
    "empty continuations": (empty_continuations, "continuations"),
    "ignored continuations": (ignored_continuations, None),
}


@pytest.fixture(scope="module")
def echo():
    with Echo() as server:
        with Peer(server.place) as peer:
            peer.request(body=b"warm")
        yield server


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_the_connection_and_nothing_else(echo, name):
    flood, reason = FLOODS[name]
    ends = ("flood", "protocol") if reason else ("flood", "protocol", "peer")
    before, memory = metrics_of(echo.place), echo.rss()
    with Peer(echo.place) as other, Peer(echo.place) as peer:
        assert other.request(body=b"hello")[1] == b"hello"
        flood(peer)
        # The last word may be lost in a reset, if the client was still sending.
        others = (PROTOCOL_ERROR, NO_ERROR) if reason is None else ()
        assert peer.goaway() in (ENHANCE_YOUR_CALM, None, *others)
        assert other.request(body=b"hello")[1] == b"hello"
        after = eventually(lambda: ended(metrics_of(echo.place), before, ends), "the connection has ended")
    # The server's own resets are too many, or too many of them wait to be sent.
    reasons = {reason, "unread"} if name == "provoked reset" else {reason}
    if reason:
        floods = [sum(metrics.sum("onceproxy_http2_floods_total", of=each) for each in reasons)
                  for metrics in (before, after)]
        assert floods[1] == floods[0] + 1, after.text
    assert echo.rss() - memory < SLACK


def ended(metrics, before, reasons):
    """The metrics, once one more connection has ended by what its client did."""
    count = "onceproxy_http2_connections_ended_total"
    bad = sum(metrics.sum(count, reason=reason) - before.sum(count, reason=reason)
              for reason in reasons)
    return metrics if bad else None


def test_a_flood_is_logged_with_its_peer(echo):
    with Peer(echo.place) as peer:
        many(frame(PING, payload=b"12345678"))(peer)
        peer.goaway()
    line = echo.stderr.wait_for(lambda line: line.get("of") == "pings", "the log line")
    assert line["level"] == "warn" and line["peer"] == "127.0.0.1" and line["listener"] == "echo"


def test_a_client_that_reads_no_replies_is_left(echo):
    """CVE-2019-9517 and the like: replies are not piled up for a peer that does not read them."""
    memory = echo.rss()
    head_only = {"method": "GET"}
    with Peer(echo.place) as peer:
        peer.send(settings(s4=0))
        for _ in range(900):
            peer.open(peer.fields("/test.Echo/Status", content_type="application/grpc", **head_only),
                      END_HEADERS | END_STREAM)
        peer.flood(frame(PING, payload=b"12345678") * 900, 1)
        assert peer.synchronize()
    assert echo.rss() - memory < SLACK


def test_streams_that_were_reset_are_no_way_to_more_handlers():
    """Handlers that have not ended keep their places, whatever became of their streams."""
    with Echo(streams=10) as echo, Peer(echo.place) as peer:
        fields = peer.fields("/test.Echo/Bidi", content_type="application/grpc")
        for _ in range(300):
            peer.send(frame(RST_STREAM, 0, peer.open(fields), number(8)))
        assert peer.synchronize()
        assert metrics_of(echo.place).sum("onceproxy_http2_streams") <= 11


def test_streams_whose_answer_has_begun_may_be_reset():
    """Envoy resets each of its calls once it has what it asked for."""
    with Echo(resets="10/1") as echo, Peer(echo.place) as peer:
        fields = peer.fields("/test.Echo/Wait", content_type="application/grpc")
        for _ in range(50):
            stream = peer.open(fields)
            assert peer.until(HEADERS)[2] == stream
            peer.send(frame(RST_STREAM, 0, stream, number(8)))
        assert peer.request(body=b"still")[1] == b"still"


def test_resets_that_are_paced_end_nothing_and_take_their_time():
    """As on the port for Envoy, which resets a stream for each client that leaves."""
    with Echo(resets="100/1000", pace_resets=1) as echo, Peer(echo.place) as peer:
        fields = peer.fields("/test.Echo/Bidi", content_type="application/grpc", te="trailers")
        neighbour = peer.open(fields)
        head = peer.encoder.encode(fields)
        began = time.monotonic()
        for first in range(3, 8003, 200):
            peer.send(b"".join(frame(HEADERS, END_HEADERS, stream, head) + frame(RST_STREAM, 0, stream, number(8))
                               for stream in range(first, first + 200, 2)))
        peer.send(frame(DATA, END_STREAM, neighbour, message(b"still")))
        assert peer.answer(neighbour)[1] == message(b"still")
        # 4,000 resets, of which 100, and those of the last read, need not wait.
        assert time.monotonic() - began > 1
        peer.next_stream = 8003
        assert peer.metrics().sum("onceproxy_http2_pauses_total", listener="echo") > 0
        assert echo.stderr.wait_for(lambda line: "read slowly" in line.get("message", ""), "the log line")


def test_a_drain_does_not_wait_for_a_connection_whose_resets_are_paced():
    with Echo(resets="1/1", pace_resets=1) as echo, Peer(echo.place) as peer:
        for _ in range(50):
            peer.send(frame(RST_STREAM, 0, peer.open(), number(8)))
        eventually(lambda: metrics_of(echo.place).sum("onceproxy_http2_pauses_total", listener="echo") > 0, "a pause")
        assert echo.terminate() == 0


def test_data_that_no_handler_takes_is_bounded_by_the_windows():
    with Echo(stream_window=65_535, connection_window=131_072) as echo, Peer(echo.place) as peer:
        fields = peer.fields("/test.Echo/Wait", content_type="application/grpc")
        first, second, third = peer.open(fields), peer.open(fields), peer.open(fields)
        piece = frame(DATA, 0, first, b"x" * 16_000)
        peer.send(piece * 4)
        peer.send(frame(DATA, 0, second, b"x" * 16_000) * 4)
        assert peer.synchronize()
        # The connection's window is used up: one byte more is an error.
        peer.send(frame(DATA, 0, third, b"x" * 16_000))
        assert peer.goaway() == 0x3  # FLOW_CONTROL_ERROR


def test_bytes_of_streams_that_are_over_come_back_to_the_connection():
    """Else a client that resets streams would find its connection closed to data at last."""
    with Echo(stream_window=65_535, connection_window=65_535) as echo, Peer(echo.place) as peer:
        fields = peer.fields("/test.Echo/Wait", content_type="application/grpc")
        for _ in range(20):
            stream = peer.open(fields)
            peer.send(frame(DATA, 0, stream, message(b"x" * 16_000)) * 2)
            peer.send(frame(RST_STREAM, 0, stream, number(8)))
            assert peer.synchronize()
        assert peer.request(body=b"still")[1] == b"still"


def test_bytes_of_streams_that_are_reset_in_one_piece_come_back_to_the_connection():
    """As an Envoy writes the request of a client that has left: all frames of the stream in one flush."""
    with Echo(stream_window=65_535, connection_window=65_535) as echo, Peer(echo.place) as peer:
        head = peer.encoder.encode(peer.fields("/test.Echo/Wait", content_type="application/grpc"))
        for stream in range(1, 41, 2):
            data = frame(DATA, 0, stream, message(b"x" * 16_000))
            peer.send(frame(HEADERS, END_HEADERS, stream, head) + data + data
                      + frame(RST_STREAM, 0, stream, number(8)))
            assert peer.synchronize()
        peer.next_stream = 41
        assert peer.request(body=b"still")[1] == b"still"

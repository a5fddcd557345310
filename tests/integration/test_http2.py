"""HTTP/2 against foreign bytes: requests, limits, timeouts, drain, TLS."""

import socket
import ssl
import struct
import subprocess

import pytest

from harness import eventually
from harness.certificates import Authority
from harness.echo import Echo
from harness.frames import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS,
                            NO_ERROR, PING, PREFACE, PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM,
                            SETTINGS, Peer, frame, metrics_of, number, settings)
from harness.wait import PATIENCE

ENDED = "onceproxy_http2_connections_ended_total"


@pytest.fixture(scope="module")
def echo():
    with Echo() as server:
        yield server


def last_stream(goaway):
    return struct.unpack(">I", goaway[3][:4])[0]


def test_bodies_and_trailers_go_both_ways(echo):
    with Peer(echo.place) as peer:
        stream = peer.open()
        peer.send(frame(DATA, 0, stream, b"one ") + frame(DATA, 0, stream, b"two"))
        trailers = peer.encoder.encode([("x-sum", "7")])
        peer.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers))
        head, body, trailers = peer.answer(stream)
        assert (head[":status"], body, trailers) == ("200", b"one two", {"x-sum": "7"})


def test_what_a_server_says_first_is_its_settings(echo):
    with Peer(echo.place) as peer:
        kind, _, _, payload = peer.read()
        assert kind == SETTINGS
        said = dict(struct.unpack(">HI", payload[i:i + 6]) for i in range(0, len(payload), 6))
        assert said == {3: 1000, 4: 256 * 1024, 6: 64 * 1024, 9: 1}


def test_curl_speaks_to_it(echo):
    host, port = echo.place
    result = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "--data-binary", "@-",
                             "-w", "\n%{http_code} %{http_version}", f"http://{host}:{port}/http"],
                            input=b"x" * 3_000_000, capture_output=True)
    assert result.stdout == b"x" * 3_000_000 + b"\n200 2", result.stderr


def test_curl_reads_an_answer_to_a_request_that_was_not_read(echo):
    host, port = echo.place
    result = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-d", "hello",
                             "-w", "%{http_code}", f"http://{host}:{port}/no-call"],
                            capture_output=True)
    assert result.stdout == b"415", result.stderr


def test_http1_is_no_beginning(echo):
    with Peer(echo.place, greet=False) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while peer.read() is not None:
            pass
    eventually(lambda: metrics_of(echo.place).sum(ENDED, reason="protocol") > 0, "it is counted")


def test_a_frame_of_a_stream_that_never_was_ends_the_connection(echo):
    with Peer(echo.place) as peer:
        peer.send(frame(DATA, 0, 99, b"x"))
        assert peer.goaway() == PROTOCOL_ERROR
    line = echo.stderr.wait_for(lambda line: line["message"] == "HTTP/2 connection failed", "a log line")
    assert line["peer"] == "127.0.0.1"


@pytest.mark.parametrize("fields", [
    [(":method", "GET")],
    [(":method", "GET"), (":scheme", "http"), (":path", "/http"), ("Upper", "case")],
    [(":method", "GET"), (":scheme", "http"), (":path", "/http"), ("connection", "close")],
    [(":method", "GET"), (":scheme", "http"), (":path", "/http"), ("te", "gzip")],
    [(":method", "GET"), (":scheme", "http"), (":path", "/http"), (":path", "/http")],
    [(":method", "GET"), (":scheme", "http"), (":path", "/http"), ("x", "a\r\nb: c")],
    [(":method", "GET"), (":scheme", "http"), ("x", "y"), (":path", "/http")],
], ids=["no path", "upper case", "connection", "te", "two paths", "line break", "pseudo late"])
def test_a_malformed_request_fails_alone(echo, fields):
    with Peer(echo.place) as peer:
        head, _, why = peer.answer(peer.open(fields, END_HEADERS | END_STREAM))
        assert head is None and why["error"] == PROTOCOL_ERROR
        assert peer.request(body=b"next")[1] == b"next"


def test_fields_over_the_limit_are_answered_with_431(echo):
    with Peer(echo.place) as peer:
        many = [(f"x-{i}", "y") for i in range(300)]
        assert peer.request(peer.fields() + many)[0][":status"] == "431"
        # In two frames, because one holds 16 KiB.
        stream = peer.next_stream
        peer.next_stream += 2
        block = peer.encoder.encode(peer.fields() + [("x", "y" * 70_000)])
        pieces = [block[i:i + 16_000] for i in range(0, len(block), 16_000)]
        peer.send(frame(HEADERS, END_STREAM, stream, pieces[0]))
        for piece in pieces[1:-1]:
            peer.send(frame(CONTINUATION, 0, stream, piece))
        peer.send(frame(CONTINUATION, END_HEADERS, stream, pieces[-1]))
        assert peer.answer(stream)[0][":status"] == "431"
        assert peer.request(body=b"next")[1] == b"next"
        assert peer.metrics().sum("onceproxy_http2_refused_total", reason="headers") == 2


def test_streams_over_the_limit_are_refused():
    with Echo(streams=2) as echo, Peer(echo.place) as peer:
        for _ in range(2):
            peer.open()
        refused = peer.open()
        # Before the client can know the limit, a stream is refused; later it is an error.
        assert peer.answer(refused)[2] == {"error": REFUSED_STREAM}
        peer.send(frame(SETTINGS, ACK))
        peer.open()
        assert peer.goaway() == PROTOCOL_ERROR


def test_connections_over_the_limit_are_closed():
    with Echo(connections=1) as echo:
        with Peer(echo.place) as peer:
            assert peer.request(body=b"x")[1] == b"x"
            with Peer(echo.place, greet=False) as other:
                assert other.read() is None
            assert peer.metrics().sum(ENDED, reason="crowded") == 1


def test_an_unused_connection_gives_way_to_others():
    with Echo(connections=2, give_way_after=100) as echo, Peer(echo.place) as busy, Peer(echo.place) as unused:
        open_stream = busy.open()
        assert busy.synchronize() and unused.synchronize()

        def served():
            with Peer(echo.place) as other:
                try:
                    return other.request(body=b"x")[1] == b"x"
                except (AssertionError, OSError):
                    return False

        eventually(served, "there is room for another one")
        assert unused.goaway() == NO_ERROR
        busy.send(frame(DATA, END_STREAM, open_stream, b"still"))
        assert busy.answer(open_stream)[1] == b"still"


# --- timeouts

def test_a_client_that_does_not_greet_is_left():
    with Echo(header_timeout=200) as echo:
        with Peer(echo.place, greet=False) as peer:
            peer.send(PREFACE[:10])
            while peer.read() is not None:
                pass
        eventually(lambda: metrics_of(echo.place).sum(ENDED, reason="timeout") == 1, "it is counted")


def test_a_header_block_that_does_not_end_is_left():
    with Echo(header_timeout=200) as echo:
        with Peer(echo.place) as peer:
            peer.send(frame(HEADERS, 0, 1, peer.encoder.encode(peer.fields())))
            while peer.read() is not None:
                pass
        eventually(lambda: metrics_of(echo.place).sum(ENDED, reason="timeout") == 1, "it is counted")


def test_an_idle_connection_ends_with_two_goaways():
    with Echo(idle_timeout=200) as echo:
        with Peer(echo.place) as peer:
            assert last_stream(peer.until(GOAWAY)) == 2**31 - 1
            # A request that was on its way is still served.
            peer.send(frame(PING, ACK, payload=bytes(8)))
            assert peer.goaway() == NO_ERROR
        eventually(lambda: metrics_of(echo.place).sum(ENDED, reason="idle") == 1, "it is counted")


def test_a_connection_with_a_stream_is_not_idle():
    with Echo(idle_timeout=200, ping_interval=100, ping_timeout=60_000) as echo:
        with Peer(echo.place) as peer:
            stream = peer.open()
            for _ in range(5):
                peer.until(PING)
                peer.send(frame(PING, ACK, payload=bytes(8)))
            peer.send(frame(DATA, END_STREAM, stream, b"late"))
            assert peer.answer(stream)[1] == b"late"


def test_a_silent_client_is_asked_and_then_left():
    with Echo(ping_interval=200, ping_timeout=200) as echo:
        with Peer(echo.place) as peer:
            assert peer.until(PING)
            while peer.read() is not None:
                pass
        eventually(lambda: metrics_of(echo.place).sum(ENDED, reason="ping") == 1, "it is counted")


def test_a_client_that_takes_nothing_loses_the_stream():
    with Echo(stall=300) as echo, Peer(echo.place) as peer:
        peer.send(settings(s4=0))
        stream = peer.open(flags=END_HEADERS)
        peer.send(frame(DATA, END_STREAM, stream, b"more than nothing"))
        assert peer.until(RST_STREAM)[2:] == (stream, number(CANCEL))
        peer.send(settings(s4=65_535))
        assert peer.request(body=b"next")[1] == b"next"
        assert peer.metrics().sum("onceproxy_http2_stalled_total") == 1


def test_a_request_that_goes_on_behind_its_answer_is_stopped_without_an_error(echo):
    with Peer(echo.place) as peer:
        stream = peer.open(peer.fields("/no-call"))
        assert peer.answer(stream)[0][":status"] == "415"
        assert peer.until(RST_STREAM)[2:] == (stream, number(NO_ERROR))
        other = peer.open(peer.fields("/no-call"))
        assert peer.answer(other)[0][":status"] == "415"
        peer.send(frame(DATA, 0, other, b"x" * 16_000) * 5)
        assert peer.until(RST_STREAM)[2:] == (other, number(NO_ERROR))


# --- the drain

def test_a_drain_lets_streams_end():
    with Echo() as echo:
        with Peer(echo.place) as peer:
            stream = peer.open()
            peer.synchronize()
            echo.begin_drain()
            assert last_stream(peer.until(GOAWAY)) == 2**31 - 1
            # What was on its way when the first GOAWAY came is served.
            late = peer.open()
            peer.send(frame(PING, ACK, payload=bytes(8)))
            assert last_stream(peer.until(GOAWAY)) == late
            for each in (late, stream):
                peer.send(frame(DATA, END_STREAM, each, b"done"))
                assert peer.answer(each)[1] == b"done"
            assert peer.read() is None
        assert echo.wait() == 0


def test_a_drain_does_not_wait_for_a_client_that_does_not_answer():
    with Echo() as echo:
        with Peer(echo.place) as peer:
            peer.synchronize()
            echo.begin_drain()
            assert peer.goaway() == NO_ERROR
        assert echo.wait() == 0


def test_a_drain_cuts_off_what_does_not_end():
    echo = Echo(drain=300)
    with Peer(echo.place) as peer:
        peer.open(peer.fields("/test.Echo/Wait", content_type="application/grpc"))
        peer.synchronize()
        assert echo.terminate() == 1
        assert peer.goaway() == NO_ERROR
    assert echo.gone("Wait") == "connection"


def test_the_port_is_closed_to_connections_while_draining():
    with Echo() as echo, Peer(echo.place) as peer:
        stream = peer.open()
        peer.synchronize()
        echo.begin_drain()
        peer.until(GOAWAY)
        with pytest.raises(ConnectionRefusedError):
            Peer(echo.place)
        peer.send(frame(DATA, END_STREAM, stream, b"done"))
        assert peer.answer(stream)[1] == b"done"
        echo.wait()


# --- other sockets

def test_a_unix_socket_is_shared_by_all_loops(directory):
    path = f"{directory}/s"
    with Echo(f"unix:{path}", loops=2) as echo:
        assert echo.address == f"unix:{path}"
        peers = [Peer(path) for _ in range(20)]
        for peer in peers:
            assert peer.request(body=b"x")[1] == b"x"
        assert peers[0].call("About")[0][0].split(b"\n")[2] == b"unix"
        for peer in peers:
            peer.socket.close()
    # What the process left behind does not keep the next one from listening there.
    with Echo(f"unix:{path}"), Peer(path) as peer:
        assert peer.request(body=b"x")[1] == b"x"


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    authority = Authority()
    certificate, key = authority.issue().write(directory, "server")
    with Echo(certificate=certificate, key=key) as server:
        server.authority = authority
        yield server


def context_of(authority, *protocols):
    context = ssl.create_default_context(cadata=authority.pem)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def test_tls_agrees_on_h2(secure):
    with Peer(secure.place, context=context_of(secure.authority, "http/1.1", "h2")) as peer:
        assert peer.socket.selected_alpn_protocol() == "h2"
        body = b"x" * 60_000
        assert peer.call("Bidi", body)[0] == [body]


def test_a_handshake_that_does_not_end_is_left_and_gives_way_to_others(tmp_path):
    authority = Authority()
    certificate, key = authority.issue().write(tmp_path, "server")
    context = context_of(authority, "h2")
    with Echo(certificate=certificate, key=key, header_timeout=200) as echo:
        with socket.create_connection(echo.place) as silent:
            silent.settimeout(PATIENCE)
            assert silent.recv(1) == b""
        with Peer(echo.place, context=context) as peer:
            assert peer.metrics().sum("onceproxy_tls_handshake_failures_total", reason="timeout") == 1
    with Echo(certificate=certificate, key=key, connections=1, give_way_after=100, header_timeout=600_000) as echo:
        with socket.create_connection(echo.place):

            def served():
                try:
                    with Peer(echo.place, context=context) as peer:
                        return peer.request(body=b"x")[1] == b"x"
                except (AssertionError, OSError):
                    return False

            eventually(served, "there is room for another one")


def test_tls_without_h2_is_no_connection(secure):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        Peer(secure.place, context=context_of(secure.authority, "http/1.1"))
    # A client that offers nothing hears of it only when it speaks.
    with Peer(secure.place, greet=False, context=context_of(secure.authority)) as peer:
        assert peer.read() is None
    with Peer(secure.place, context=context_of(secure.authority, "h2")) as peer:
        assert peer.metrics().sum("onceproxy_tls_handshake_failures_total", listener="envoy",
                                  reason="protocol") == 2

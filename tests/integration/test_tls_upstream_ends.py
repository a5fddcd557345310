"""Connections to the upstream that end. A session ticket, a partial record or a missing close_notify is never
taken for an answer."""

import contextlib
import socket
import threading

import pytest

from harness import Client, eventually
from harness.certificates import client_context
from harness.faults import Faults
from harness.secure import SecureClient
from harness.secure_upstream import front
from harness.wait import PATIENCE


def test_an_end_without_close_notify_is_a_broken_answer(stage, secure, directory, authority):
    """A body that ends with the connection: whoever cuts the wire must not decide where."""

    def cut(sock, number):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
        socket.socket.shutdown(sock, socket.SHUT_WR)
        return False

    upstream = secure(answer=cut)
    proxy = front(stage, upstream, directory, authority)
    with Client(proxy.data) as client:
        answer = client.call(key="k")
    assert answer.status == 502 and answer.decision == "upstream-error"
    with Client(proxy.data) as client:
        assert client.call(key="k").decision == "held"


def test_an_end_with_close_notify_is_a_whole_answer(stage, secure, directory, authority):
    def ends(sock, number):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        with contextlib.suppress(OSError):
            sock.settimeout(PATIENCE)
            sock.unwrap()
        return False

    proxy = front(stage, secure(answer=ends), directory, authority)
    with Client(proxy.data) as client:
        answer = client.call(key="k")
        assert (answer.status, answer.body) == (200, b"all of it")
        assert client.call(key="k").decision == "replayed"


def test_unsolicited_bytes_close_an_idle_connection(stage, secure, directory, authority):
    def talks_on(sock, number):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        threading.Timer(0.1, lambda: sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nfor nobody")).start()

    upstream = secure(answer=talks_on)
    proxy = front(stage, upstream, directory, authority)
    with Client(proxy.data) as client:
        assert client.call("GET", "/a").body == b"ok"
        eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="upstream") == 0,
                   "the connection is closed")
        assert client.call("GET", "/b").body == b"ok"
    assert upstream.connections == 2


def test_a_request_that_broke_off_after_it_left_is_unknown(stage, secure, directory, authority):
    def reads_and_leaves(sock, number):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False

    proxy = front(stage, secure(answer=reads_and_leaves), directory, authority)
    with Client(proxy.data) as client:
        assert client.call(key="k").decision == "upstream-error"
        assert client.call(key="k").decision == "held"


def test_half_a_record_that_left_is_not_nothing_sent(stage, secure, directory, authority):
    """OpenSSL reports no byte of the request as written; some of its ciphertext is on its way."""
    upstream, faults = secure(), Faults(directory, directory / "no-such-disk")
    proxy = front(stage, upstream, directory, authority, variables=faults.variables,
                  response_timeout="2s")
    with Client(proxy.data) as client:
        assert client.call(key="warm").decision == "forwarded"
        faults.set(send_to_cut=40)
        assert client.call(key="k").decision == "upstream-error"
        assert faults.get("failed") >= 1
        assert client.call(key="k").decision == "held"


def test_a_kept_connection_that_the_upstream_closed_costs_no_request(stage, secure, directory,
                                                                     authority):
    def closes_soon(sock, number):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        sock.unwrap()
        return False

    upstream = secure(answer=closes_soon)
    proxy = front(stage, upstream, directory, authority)
    with Client(proxy.data) as client:
        for number in range(10):
            assert client.call(key=f"k{number}").decision == "forwarded"
            eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="upstream") == 0,
                       "the close is noticed")


@contextlib.contextmanager
def web_socket(stage, secure, directory, authority, talks):
    """A client whose web socket is open, over TLS to TLS. `talks(sock)` is the service's side of it."""
    def switches(sock, number):
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                     b"Upgrade: websocket\r\n\r\nhello")
        talks(sock)
        return False

    upstream = secure(answer=switches)
    certificate, key = authority.issue().write(directory, "tls")
    proxy = stage.proxy(
        upstream.address, upstream={"tls": {"ca": authority.write_ca(directory)}},
        listen={"address": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}})
    with SecureClient(proxy.data, client_context(authority)) as client:
        client.send(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        seen = b""
        while not seen.endswith(b"hello"):
            seen += client.receive()
        assert seen.startswith(b"HTTP/1.1 101")
        yield client


def test_a_web_socket_is_tunnelled_from_tls_to_tls_with_its_ends(stage, secure, directory,
                                                                 authority):
    ended = threading.Event()

    def talks(sock):
        while data := sock.recv(65536):
            sock.sendall(data.upper())
        # close_notify came; an end without it would have raised.
        ended.set()
        sock.sendall(b"bye")
        sock.unwrap()

    with web_socket(stage, secure, directory, authority, talks) as client:
        large = b"abcdefgh" * 40_000
        client.send(large)
        seen = b""
        while len(seen) < len(large):
            seen += client.receive()
        assert seen == large.upper()
        client.finish()
        rest, in_order = client.all()
    assert ended.is_set() and rest == b"bye" and in_order


def test_a_web_socket_that_is_cut_has_no_orderly_end(stage, secure, directory, authority):
    """Somebody in between ends the connection of TLS with FIN: there is no close_notify."""
    def talks(sock):
        sock.recv(4)
        sock.shutdown(socket.SHUT_WR)  # of the socket alone

    with web_socket(stage, secure, directory, authority, talks) as client:
        client.send(b"now!")
        with pytest.raises(ConnectionResetError):
            client.all()

"""An end or a reset of a connection that comes together with bytes is noticed, and a reset is never taken
for an orderly end. The program is stopped meanwhile, so that it finds both as one change of the socket.
No deadline of the program is short enough to help."""

import socket
import struct

import pytest

from harness import eventually
from harness.stopping import stopped
from harness.wait import PATIENCE

COVERED = b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
REQUESTS = pytest.mark.parametrize(
    "sent", [b"GET /else HTTP/1.1\r\nHost: a\r\n\r\n", COVERED + b"Content-Length: 2\r\n\r\n{}",
             b"GET /else HT", COVERED + b"Content-Length: 200\r\n\r\n{",
             b"POST /else HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n{"],
    ids=["passed", "covered", "half a head", "half a covered body", "half a passed body"])
PATIENT = {"limits": {"head_timeout": "1h", "body_timeout": "1h"}, "upstream": {"idle_timeout": "1h"}}


def shuts_down(sock):
    sock.shutdown(socket.SHUT_WR)


def resets(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def connected(proxy):
    sock = socket.create_connection(proxy.data, timeout=PATIENCE)
    eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="client") == 1,
               "the connection accepted")
    return sock


def everything(sock):
    """Until the end of the stream, or a reset."""
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


@REQUESTS
def test_an_end_of_stream_together_with_bytes_is_noticed(stage, sent):
    proxy = stage.proxy(stage.upstream(), **PATIENT)
    with connected(proxy) as sock:
        with stopped(proxy):
            sock.sendall(sent)
            shuts_down(sock)
        everything(sock)


@REQUESTS
def test_a_clients_reset_together_with_bytes_is_noticed(stage, sent):
    proxy = stage.proxy(stage.upstream(), **PATIENT)
    sock = connected(proxy)
    with stopped(proxy):
        sock.sendall(sent)
        resets(sock)
    eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="client") == 0,
               "the connection closed")


@pytest.mark.parametrize("covered", [True, False], ids=["covered", "passed"])
@pytest.mark.parametrize("head", [b"Content-Length: 200\r\n\r\n",
                                  b"Transfer-Encoding: chunked\r\n\r\nff\r\n",
                                  b"Connection: close\r\n\r\n"],
                         ids=["length", "chunked", "until the end"])
def test_an_upstreams_reset_together_with_bytes_is_noticed(stage, head, covered):
    def answers(exchange):
        with stopped(proxy):
            exchange.send(b"HTTP/1.1 200 OK\r\n" + head + b"x" * 50)
            exchange.connection.reset()

    proxy = stage.proxy(stage.upstream(answers), **PATIENT)
    with connected(proxy) as sock:
        sock.sendall((COVERED if covered else b"POST /else HTTP/1.1\r\nHost: a\r\n")
                     + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
        received = everything(sock)
    if covered:
        assert received.startswith(b"HTTP/1.1 502")
    else:
        assert not received.endswith(b"0\r\n\r\n")

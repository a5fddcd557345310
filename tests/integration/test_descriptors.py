"""No connection leaks a file descriptor, however it ends; and the memory of an idle connection."""

import contextlib
import os
import resource
import socket
import ssl
import struct

import pytest

from harness import Client, eventually, policy
from harness.certificates import Authority, client_context
from harness.process import PRESET

LONG = os.environ.get("ONCEPROXY_LONG") == "1"
CONNECTIONS = 100_000 if LONG else 2_000
IDLE = 10_000 if LONG else 1_000

HEAD = b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %d\r\nContent-Length: 2\r\n"


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def nothing(sock, number):
    """Connects and leaves."""


def half_a_head(sock, number):
    sock.sendall(b"GET /else HTTP/1.1\r\nHo")
    reset(sock)


def half_a_body(sock, number):
    sock.sendall(HEAD % number + b"\r\n{")


def a_request(sock, number):
    sock.sendall(HEAD % number + b"Connection: close\r\n\r\n{}")
    while sock.recv(4096):
        pass


def leaves_during_the_forward(sock, number):
    sock.sendall(HEAD % number + b"\r\n{}")
    reset(sock)


def half_closes(sock, number):
    sock.sendall(b"GET /else HTTP/1.1\r\nHost: a\r\n\r\n")
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(4096):
        pass


def malformed(sock, number):
    sock.sendall(b"GET / HTTP/1.1\r\nbad line\r\n\r\n")
    while sock.recv(4096):
        pass


ENDS = [nothing, half_a_head, half_a_body, a_request, leaves_during_the_forward, half_closes,
        malformed]


def descriptors(proxy):
    return len(os.listdir(f"/proc/{proxy.process.pid}/fd"))


def at_rest(proxy, upstream, most):
    """Pooled connections to the upstream may stay; nothing else of what came since."""
    pooled = proxy.metrics().sum("onceproxy_upstream_connections_idle")
    return (proxy.metrics().sum("onceproxy_connections", side="client") == 0
            and descriptors(proxy) <= most + pooled)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_no_connection_leaves_a_descriptor_behind(stage, upstream, directory, secure):
    if secure:
        authority = Authority()
        certificate, key = authority.issue().write(directory, "tls")
        context = client_context(authority)
        listen = {"address": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}}
        proxy = stage.proxy(upstream, [policy(window="10s", lease="1s")], listen=listen)
    else:
        proxy = stage.proxy(upstream, [policy(window="10s", lease="1s")])
    with Client(proxy.data, **({"context": context} if secure else {})) as client:
        assert client.call("GET", "/else").status == 200
    eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="client") == 0,
               "the first client gone")
    before = descriptors(proxy)
    for number in range(CONNECTIONS // (10 if secure else 1)):
        end = ENDS[number % len(ENDS)]
        sock = socket.create_connection(proxy.data, timeout=30)
        try:
            if secure and number % 11:  # the others stop within the handshake
                sock = context.wrap_socket(sock, server_hostname="localhost")
            with contextlib.suppress(ConnectionResetError, BrokenPipeError, ssl.SSLError):
                end(sock, number)
        finally:
            sock.close()
        if number % 1000 == 0:
            # What the harness itself remembers would grow for ever.
            upstream.requests[:-10] = []
            upstream.connections[:] = [c for c in upstream.connections if not c.over.is_set()]
    eventually(lambda: at_rest(proxy, upstream, before + 2),
               f"{before} descriptors, as before")


@pytest.mark.skipif(PRESET not in ("debug", "release", "trained"),
                    reason="sanitizers keep memory of their own")
def test_an_idle_connection_costs_at_most_8_kib(stage, upstream):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + 500:
        pytest.skip("too few descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    proxy = stage.proxy(upstream, workers=1, limits={"connections": IDLE + 500})
    with contextlib.ExitStack() as stack:
        def connect():
            client = stack.enter_context(Client(proxy.data))
            assert client.call("GET", "/else").status == 200

        for _ in range(50):
            connect()
        before = proxy.rss()
        for _ in range(IDLE):
            connect()
        each = (proxy.rss() - before) / IDLE / 1024
        print(f"{each:.2f} KiB an idle connection")
        assert each <= 8
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

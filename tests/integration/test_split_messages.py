"""Peers that write a message in pieces, while their kernel holds the next piece back until the one before is
acknowledged (Nagle's algorithm). No request waits for a delayed acknowledgement (40 ms)."""

import socket
import statistics
import time

import pytest

from harness import Client

# A kernel puts off nothing for the first few segments of a connection.
WARM_UP = 40
COUNT = 20
PUT_OFF = 0.040


def usual_time(exchange):
    """Of the exchanges after those in which a kernel is still eager. What is put off is put off each
    time; the lower quartile bears a busy machine."""
    times = []
    for number in range(WARM_UP + COUNT):
        began = time.monotonic()
        exchange(number)
        times.append(time.monotonic() - began)
    return statistics.quantiles(times[WARM_UP:], n=4)[0]


def in_two_writes(exchange):
    """As Python's http.server answers."""
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    exchange.send(b"ok")


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_an_answer_in_two_writes_is_not_put_off(stage, target):
    proxy = stage.proxy(stage.upstream(in_two_writes, nagle=True))
    with Client(proxy.data) as client:

        def exchange(number):
            client.send(f"POST {target} HTTP/1.1\r\nHost: a\r\nIdempotency-Key: {number}\r\n"
                        "Content-Length: 2\r\n\r\n{}".encode())
            assert client.read().status == 200

        assert usual_time(exchange) < PUT_OFF / 2


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_a_request_in_two_writes_is_not_put_off(stage, upstream, target):
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

        def exchange(number):
            client.send(f"POST {target} HTTP/1.1\r\nHost: a\r\nIdempotency-Key: {number}\r\n"
                        "Content-Length: 2\r\n\r\n".encode())
            client.send(b"{}")
            assert client.read().status == 200

        assert usual_time(exchange) < PUT_OFF / 2

"""Bodies of a known length that the kernel moves from one socket to the other (splice)."""

import hashlib
import os
import pathlib
import random
import socket
import threading

import pytest

from harness import Client, eventually, request
from harness.certificates import Authority, client_context
from harness.client import BrokenOff
from harness.message import parse_head

MIB = 1024 * 1024
# As many as may be used at once, by each worker (proxy/io/pipes.hpp), with room for the program's own.
PIPES_MAX = 32 + 8


def body_of(size):
    return random.Random(size).randbytes(size)


def pipes(proxy):
    """How many ends of pipes the program has open."""
    links = []
    for entry in pathlib.Path(f"/proc/{proxy.process.pid}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except OSError:
            pass
    return sum(link.startswith("pipe:") for link in links)


def echo(exchange):
    exchange.answer(200, exchange.request.body)


SIZES = [16 * 1024 - 1, 16 * 1024, 64 * 1024 + 1, MIB, 10 * MIB]


@pytest.mark.parametrize("size", SIZES)
def test_a_body_comes_whole_both_ways_and_the_connections_go_on(stage, size):
    upstream = stage.upstream(echo)
    proxy = stage.proxy(upstream, workers=1)
    body = body_of(size)
    with Client(proxy.data) as client:
        for _ in range(3):
            answer = client.exchange(request("PUT", "/large", body=body))
            assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
    assert len(upstream.connections) == 1
    lines = proxy.access_log(3)
    assert [line["request_bytes"] for line in lines] == [size] * 3
    assert all(line["response_bytes"] > size for line in lines)


def test_the_kernel_moves_a_body_through_a_pipe_that_is_given_back(stage):
    body = body_of(64 * MIB)
    proxy = stage.proxy(stage.upstream(lambda exchange: exchange.answer(200, body)), workers=1)
    before = pipes(proxy)
    with Client(proxy.data) as client:
        client.send(request("GET", "/large"))
        # The client does not read: what it has no room for stays in the pipe.
        eventually(lambda: pipes(proxy) == before + 2, "a pipe is used")
        assert client.read().body == body
    eventually(lambda: pipes(proxy) == before, "the pipe is closed")


def test_through_tls_bodies_are_not_moved_by_the_kernel(stage, directory):
    authority = Authority()
    certificate, key = authority.issue().write(directory, "tls")[:2]
    listen = {"address": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}}
    proxy = stage.proxy(stage.upstream(echo), listen=listen, workers=1)
    before = pipes(proxy)
    body = body_of(MIB)
    with Client(proxy.data, context=client_context(authority)) as client:
        assert client.exchange(request("PUT", "/large", body=body)).body == body
    assert pipes(proxy) == before


def test_an_answer_that_is_cut_off_is_passed_on_as_incomplete(stage):
    def cut(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (10 * MIB))
        exchange.send(body_of(5 * MIB))
        exchange.connection.close()

    proxy = stage.proxy(stage.upstream(cut))
    with Client(proxy.data) as client:
        with pytest.raises(BrokenOff) as broken:
            client.exchange(request("GET", "/cut"))
    _, _, head = parse_head(broken.value.data)
    assert broken.value.data[head:] == body_of(5 * MIB)
    assert proxy.access_log(1)[0]["error"] == "The answer broke off."


def test_an_answer_that_stops_is_passed_on_as_incomplete(stage):
    go_on = threading.Event()

    def stop(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (10 * MIB))
        exchange.send(body_of(MIB))
        go_on.wait(60)

    proxy = stage.proxy(stage.upstream(stop), upstream={"idle_timeout": "300ms"})
    with Client(proxy.data) as client:
        with pytest.raises(BrokenOff):
            client.exchange(request("GET", "/stop"))
    go_on.set()
    assert proxy.access_log(1)[0]["error"] == "The answer stopped coming."


def test_an_upload_that_is_cut_off_breaks_the_upstreams_request(stage):
    got = []

    def count(exchange):
        got.append(sum(map(len, exchange.body_pieces())))
        exchange.answer()

    upstream = stage.upstream(count, streams=True)
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (10 * MIB))
        client.send(body_of(5 * MIB))
        upstream.wait_for_requests(1)
    assert upstream.connections[0].closed_by_proxy()
    assert not got
    assert proxy.access_log(1)[0]["status"] == 499


def test_a_client_that_resets_within_its_download_frees_the_upstream(stage):
    def endless(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 40))
        while True:
            exchange.send(body_of(MIB))

    upstream = stage.upstream(endless)
    proxy = stage.proxy(upstream, workers=1)
    before = pipes(proxy)
    with Client(proxy.data) as client:
        client.send(request("GET", "/endless"))
        assert client.receive()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert upstream.connections[0].closed_by_proxy()
    eventually(lambda: pipes(proxy) <= before + 2, "no pipe is left with bytes in it")


def test_slow_readers_hold_few_pipes_and_delay_no_one(stage):
    """More of them than there are pipes: the rest is read and written."""
    size = 8 * MIB
    body = body_of(size)

    def large(exchange):
        if exchange.request.target == "/large":
            exchange.answer(200, body)
        else:
            exchange.answer()

    proxy = stage.proxy(stage.upstream(large), workers=1)
    before, memory = pipes(proxy), proxy.rss()
    clients = []
    try:
        for _ in range(36):
            client = Client.__new__(Client)
            client.buffer = bytearray()
            client.socket = socket.socket()
            client.socket.settimeout(60)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            client.socket.connect(proxy.data)
            clients.append(client)
            client.send(request("GET", "/large"))
        with Client(proxy.data) as other:
            assert other.exchange(request("GET", "/small")).status == 200
        assert pipes(proxy) - before <= 2 * PIPES_MAX
        assert proxy.rss() - memory < 32 * MIB
        for client in clients:
            assert client.read().body == body
    finally:
        for client in clients:
            client.close()

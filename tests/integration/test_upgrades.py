"""Upgrades: a tunnel if no policy covers the request, refused otherwise."""

import socket
import struct
import threading
import time

import pytest

from harness import PATIENCE, Client, eventually

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "k",
           "Sec-WebSocket-Version": "13"}


def test_an_upgrade_that_no_policy_covers_is_tunnelled(stage):
    def websocket(exchange):
        assert exchange.request["upgrade"].lower() == "websocket"
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      b"Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello")
        while data := exchange.connection.receive():
            exchange.send(data.upper())

    upstream = stage.upstream(websocket)
    proxy = stage.proxy(upstream)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "k",
               "Sec-WebSocket-Version": "13"}
    with Client(proxy.data) as client:
        answer = client.call("GET", "/socket", headers=upgrade)
        assert (answer.status, answer["upgrade"]) == (101, "websocket")
        while len(client.buffer) < 5:
            assert client.receive()
        assert client.buffer == b"hello"
        client.buffer.clear()
        for text in (b"ping", b"x" * 1_000_000, b"\x00\xff"):
            client.send(text)
            while len(client.buffer) < len(text):
                assert client.receive()
            assert client.buffer == text.upper()
            client.buffer.clear()
    assert upstream.connections[0].closed_by_proxy(), "the client's end reaches the upstream"


def test_a_refused_upgrade_is_an_answer_like_any_other(stage):
    upstream = stage.upstream(lambda exchange: exchange.answer(426, b"no"))
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
        assert client.call("GET", "/socket", headers=upgrade).status == 426
        assert client.call("GET", "/socket", headers=upgrade).status == 426


def test_an_upgrade_that_a_policy_covers_is_refused(proxy, upstream):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    with Client(proxy.data) as client:
        answer = client.call(key="a", headers=upgrade)
        assert answer.status == 501
    assert upstream.bytes_received == 0


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_an_upgrade_that_declares_a_body_is_refused(proxy, upstream, framing):
    fields = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
    with Client(proxy.data) as client:
        client.send(f"GET /socket HTTP/1.1\r\nHost: a\r\n{fields}{framing}\r\n\r\nabc".encode())
        answer = client.read("GET")
        assert (answer.status, answer.decision) == (400, "bad-request")
        assert "body" in answer.json["detail"]
        assert answer.closes
    assert upstream.bytes_received == 0
    assert proxy.metrics().sum("onceproxy_bad_requests_total", reason="upgrade-body") == 1


def echo(exchange):
    exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  b"Connection: Upgrade\r\n\r\n")
    while data := exchange.connection.receive():
        exchange.send(data)


def test_an_upgrade_without_a_body_may_say_so(stage):
    proxy = stage.proxy(stage.upstream(echo))
    with Client(proxy.data) as client:
        assert client.call("GET", "/socket", {**UPGRADE, "Content-Length": "0"}).status == 101


def test_a_tunnel_in_use_ends_with_the_drain(stage):
    """Bytes go both ways all the time: no time-out of the tunnel's own ends it."""
    proxy = stage.proxy(stage.upstream(echo), arguments=["--drain-time", "1s"])
    with Client(proxy.data) as client:
        assert client.call("GET", "/socket", UPGRADE).status == 101
        client.buffer.clear()

        def keep_busy():
            client.send(b"ping")
            while client.receive():
                client.send(bytes(client.buffer))
                client.buffer.clear()

        busy = threading.Thread(target=keep_busy)
        busy.start()
        began = time.monotonic()
        assert proxy.terminate() == 0
        assert 1 <= time.monotonic() - began < 30
        busy.join(60)
        assert not busy.is_alive()


@pytest.mark.parametrize("by", ["service", "client"])
def test_a_reset_within_a_tunnel_stays_a_reset(stage, by):
    told, seen = threading.Event(), []

    def switches(exchange):
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      b"Connection: Upgrade\r\n\r\nhello")
        if by == "service":
            told.wait(PATIENCE)
            exchange.connection.reset()
            return
        try:
            seen.append(exchange.connection.socket.recv(100))
        except ConnectionResetError:
            seen.append("reset")
        told.set()

    proxy = stage.proxy(stage.upstream(switches))
    with Client(proxy.data) as client:
        assert client.call("GET", "/socket", UPGRADE).status == 101
        while len(client.buffer) < 5:
            assert client.receive()
        if by == "service":
            told.set()
            with pytest.raises(ConnectionResetError):
                client.socket.recv(100)
        else:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
            assert told.wait(PATIENCE) and seen == ["reset"]


def test_the_resources_of_a_tunnel_are_returned(stage):
    """As many tunnels as there may be upstream connections, one set after the other."""
    proxy = stage.proxy(stage.upstream(echo), upstream={"max_connections": 4})
    for _ in range(3):
        clients = [Client(proxy.data) for _ in range(4)]
        for client in clients:
            assert client.call("GET", "/socket", UPGRADE).status == 101
        for client in clients:
            client.close()
        eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="upstream") == 0,
                   "all of the upstream's connections are free")

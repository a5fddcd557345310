"""Upgrades: a tunnel where no policy covers them, refused where one does."""

from harness import Client


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

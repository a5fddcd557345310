"""TLS on the data port: handshakes, and that HTTP works as without TLS."""

import contextlib
import socket
import subprocess
import time

import pytest

from harness import Client, eventually, request
from harness.data_tls import failed, listen
from harness.process import PRESET
from harness.secure import SecureClient
from harness.wait import PATIENCE

HANDSHAKES = "onceproxy_tls_handshakes_total"


@pytest.fixture
def proxy(stage, upstream, files):
    return stage.proxy(upstream, listen=listen(files))


def s_client(proxy, *arguments, stdin=b""):
    """What openssl's own client says, the handshake alone unless something is sent."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.data[1]}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def test_a_duplicate_is_replayed_over_tls(proxy, upstream, context):
    with Client(proxy.data, context=context) as client:
        first = client.call(key="k1", body=b"{}")
        again = client.call(key="k1", body=b"{}")
        assert (first.decision, again.decision) == ("forwarded", "replayed")
        assert first.body == again.body
        assert client.secure.selected_alpn_protocol() is None
    head = upstream.requests[0]
    assert head["x-forwarded-proto"] == "https"
    assert len(upstream.requests) == 1


def test_curl_gets_its_answer(proxy, upstream, directory, authority):
    ca = authority.write_ca(directory)
    url = f"https://localhost:{proxy.data[1]}/hello"
    done = subprocess.run(["curl", "-sS", "-i", "--cacert", ca, url], capture_output=True,
                          timeout=PATIENCE, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("HTTP/1.1 200")
    # Curl offers HTTP/2 first; the server selects HTTP/1.1.
    assert upstream.requests[0].minor == 1


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_both_versions_are_spoken_and_sessions_resumed(proxy, version, directory):
    session = directory / "session"
    ask = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    options = [version, "-alpn", "h2,http/1.1", "-ign_eof"]
    code, text = s_client(proxy, *options, "-sess_out", str(session), stdin=ask)
    assert code == 0 and "ALPN protocol: http/1.1" in text and "HTTP/1.1 200" in text
    code, text = s_client(proxy, *options, "-sess_in", str(session), stdin=ask)
    assert code == 0 and "Reused, TLSv1." in text and "HTTP/1.1 200" in text
    assert proxy.metrics().sum(HANDSHAKES, listener="data", kind="resumed") == 1


def test_tls_1_1_is_refused(proxy):
    code, text = s_client(proxy, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert code != 0 and "protocol version" in text
    failed(proxy, "version")


def test_a_minimum_version_is_kept(stage, upstream, files):
    proxy = stage.proxy(upstream, listen=listen(files, min_version="1.3"))
    assert s_client(proxy, "-tls1_2")[0] != 0
    assert s_client(proxy, "-tls1_3")[0] == 0
    failed(proxy, "version")


def test_no_common_cipher_has_its_own_reason(proxy):
    code, _ = s_client(proxy, "-tls1_2", "-cipher", "AES128-SHA")
    assert code != 0
    failed(proxy, "cipher")


def test_http_2_alone_is_refused(proxy):
    code, text = s_client(proxy, "-alpn", "h2")
    assert code != 0 and "no application protocol" in text
    failed(proxy, "protocol")


def test_no_renegotiation_and_no_early_data_is_taken(proxy, directory):
    _, text = s_client(proxy, "-tls1_2", stdin=b"R\n")
    assert "no renegotiation" in text or "unexpected message" in text or "alert" in text
    session = directory / "session"
    ask = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    _, text = s_client(proxy, "-tls1_3", "-ign_eof", "-sess_out", str(session), stdin=ask)
    assert "Max Early Data: 0" in text
    assert s_client(proxy, "-tls1_3")[0] == 0


def test_plain_http_on_the_tls_port_ends_and_is_counted(proxy, upstream):
    with Client(proxy.data) as client:
        client.send(request("GET", "/a"))
        client.ends()
    failed(proxy, "not-tls")
    assert upstream.requests == []


def test_a_plain_and_a_tls_listener_stand_side_by_side(stage, upstream, files, context):
    proxy = stage.proxy(upstream, listen=["127.0.0.1:0", listen(files)])
    addresses = [line["address"] for line in proxy.stderr.json() if line.get("listener") == "data"]
    plain, secure = (("127.0.0.1", int(each.rpartition(":")[2])) for each in addresses)
    with Client(plain) as client:
        assert client.call("GET", "/a").status == 200
    with Client(secure, context=context) as client:
        assert client.call("GET", "/a").status == 200


def test_an_answer_of_many_records_and_an_upload_come_whole(stage, files, context):
    body = bytes(range(256)) * 12_000
    upstream = stage.upstream(lambda exchange: exchange.answer(200, exchange.request.body))
    proxy = stage.proxy(upstream, listen=listen(files))
    with Client(proxy.data, context=context) as client:
        assert client.call("POST", "/upload", body=body).body == body
        assert client.call("POST", "/upload", body=body).body == body


def test_a_client_that_half_closes_gets_its_answer_and_a_close_notify(proxy, context):
    with SecureClient(proxy.data, context) as client:
        client.send(request("GET", "/a"))
        client.finish()
        data, in_order = client.all()
    assert data.startswith(b"HTTP/1.1 200")
    assert in_order


def test_an_answer_that_ends_with_the_connection_ends_with_close_notify(stage, files, context):
    """HTTP/1.0 has no other end (RFC 9112, section 6.3): without it a cut would look whole."""
    upstream = stage.upstream(lambda exchange: exchange.answer(200, b"x" * 300_000, chunked=True))
    proxy = stage.proxy(upstream, listen=listen(files))
    with SecureClient(proxy.data, context) as client:
        client.send(b"GET /a HTTP/1.0\r\nHost: a\r\n\r\n")
        data, in_order = client.all()
    assert in_order and data.endswith(b"x" * 300_000)


def test_an_answer_that_breaks_off_ends_without_close_notify(stage, files, context):
    def breaks_off(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        exchange.connection.close()

    proxy = stage.proxy(stage.upstream(breaks_off), listen=listen(files))
    with SecureClient(proxy.data, context) as client:
        client.send(b"GET /a HTTP/1.0\r\nHost: a\r\n\r\n")
        try:
            data, in_order = client.all()
        except ConnectionResetError:
            return
    assert not in_order, data


def test_a_refusal_reaches_a_client_that_goes_on_sending(stage, upstream, files, context):
    proxy = stage.proxy(upstream, listen=listen(files), limits={"body_bytes": "1KiB"})
    with SecureClient(proxy.data, context) as client:
        client.send(b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
                    b"Content-Length: 200000\r\n\r\n")
        for _ in range(10):
            client.send(b"x" * 20_000)
        data, in_order = client.all()
    assert data.startswith(b"HTTP/1.1 413") and in_order


def test_a_pipelining_client_and_bytes_split_anywhere_are_served(proxy, context):
    wanted = request("GET", "/a") + request("GET", "/b")
    with SecureClient(proxy.data, context) as client:
        for i in range(len(wanted)):
            client.send(wanted[i:i + 1])
        client.finish()
        data, _ = client.all()
    assert data.count(b"HTTP/1.1 200") == 2


def test_stalled_handshakes_end_and_do_not_block_others(stage, upstream, files, context):
    proxy = stage.proxy(upstream, listen=listen(files), workers=1,
                        limits={"connections": 60, "head_timeout": "2s"})
    slow = []
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            slow.append(stack.enter_context(socket.create_connection(proxy.data, PATIENCE)))
            slow[-1].sendall(b"\x16\x03\x01\x02\x00")
        with Client(proxy.data, context=context) as client:
            assert client.call("GET", "/a").status == 200
        # Sixteen at once, and the oldest gives way to the one that comes.
        failed(proxy, "crowded", 34)
        failed(proxy, "timeout", 15)
        for each in slow:
            each.settimeout(PATIENCE)
            assert each.recv(1) == b""


def test_a_drain_does_not_wait_for_handshakes(stage, upstream, files):
    proxy = stage.proxy(upstream, listen=listen(files), limits={"head_timeout": "60s"})
    with socket.create_connection(proxy.data) as silent:
        eventually(lambda: proxy.metrics().sum("onceproxy_connections", side="client") == 1,
                   "the connection")
        begin = time.monotonic()
        assert proxy.terminate() == 0
        assert time.monotonic() - begin < 15
        assert silent.recv(1) == b""


def test_an_idle_connection_ends_with_close_notify(stage, upstream, files, context):
    proxy = stage.proxy(upstream, listen=listen(files), limits={"idle_timeout": "500ms"})
    with SecureClient(proxy.data, context) as client:
        client.send(request("GET", "/a"))
        data, in_order = client.all()
    assert data.startswith(b"HTTP/1.1 200") and in_order


@pytest.mark.skipif(PRESET != "debug", reason="sanitizers keep memory of their own")
def test_an_idle_tls_connection_costs_at_most_30_kib(stage, upstream, files, context):
    count = 400
    proxy = stage.proxy(upstream, listen=listen(files), workers=1)
    with contextlib.ExitStack() as stack:
        def connect(number):
            client = stack.enter_context(Client(proxy.data, context=context))
            assert client.call("GET", f"/{number}").status == 200

        for number in range(50):
            connect(number)
        before = proxy.rss()
        for number in range(count):
            connect(number)
        each = (proxy.rss() - before) / count / 1024
        print(f"{each:.1f} KiB an idle connection")
        assert each <= 30

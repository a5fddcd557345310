"""TLS towards the upstream: which certificates are trusted, sessions, and what a reload changes."""

import socket
import ssl

import pytest
import yaml

from harness import Client, eventually
from harness.certificates import DAY, Authority, put
from harness.process import run
from harness.secure_upstream import front

FAILURES = "onceproxy_tls_handshake_failures_total"
HANDSHAKES = "onceproxy_tls_handshakes_total"


def test_requests_go_through_tls_on_a_kept_connection(stage, secure, directory, authority):
    upstream = secure()
    proxy = front(stage, upstream, directory, authority)
    with Client(proxy.data) as client:
        for number in range(20):
            assert client.call("GET", f"/{number}").body == b"ok"
        assert client.call(key="k").decision == "forwarded"
        assert client.call(key="k").decision == "replayed"
    # Session tickets arrived on an idle connection; they are no reason to close it.
    assert upstream.connections == 1
    assert upstream.names == ["localhost"]
    assert "x-forwarded-proto: http\r\n" in upstream.heads[-1]
    assert proxy.metrics().sum(HANDSHAKES, listener="upstream") == 1


def test_sessions_with_the_upstream_are_resumed(stage, secure, directory, authority):
    def closes(sock, number):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        return False

    upstream = secure(answer=closes)
    proxy = front(stage, upstream, directory, authority)
    for number in range(4):
        with Client(proxy.data) as client:
            assert client.call("GET", "/a").status == 200
    assert upstream.resumed == [False, True, True, True]
    assert proxy.metrics().sum(HANDSHAKES, listener="upstream", kind="resumed") == 3


@pytest.mark.parametrize("fault", ["authority", "name", "expired", "early", "version", "cipher"])
def test_an_upstream_that_cannot_be_believed_gets_no_request(stage, secure, directory, authority,
                                                             fault):
    issued = {"name": lambda: authority.issue(names=["shop.example"]),
              "expired": lambda: authority.issue(begins=-9 * DAY, ends=-DAY),
              "early": lambda: authority.issue(begins=DAY)}.get(fault, authority.issue)()
    upstream = secure(issued)
    if fault == "version":
        upstream.context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        upstream.context.maximum_version = ssl.TLSVersion.TLSv1_1
    if fault == "cipher":
        upstream.context.maximum_version = ssl.TLSVersion.TLSv1_2
        upstream.context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    trusted = Authority("Another") if fault == "authority" else authority
    proxy = front(stage, upstream, directory, trusted)
    with Client(proxy.data) as client:
        answer = client.call(key="k")
        assert (answer.status, answer.decision) == (502, "upstream-error")
        # Nothing was sent: the key is free, and is not held.
        assert client.call(key="k").decision == "upstream-error"
    assert upstream.heads == []
    reason = {"version": "refused", "cipher": "refused"}.get(fault, "bad-certificate")
    metrics = proxy.metrics()
    found = {each for each in ("refused", "version", "bad-certificate")
             if metrics.sum(FAILURES, listener="upstream", reason=each)}
    assert found & {reason, "version"} if fault == "version" else found == {reason}


def test_a_name_other_than_the_hosts_can_be_wanted(stage, secure, directory, authority):
    upstream = secure(authority.issue(names=["shop.example"]))
    proxy = front(stage, upstream, directory, authority, {"server_name": "shop.example"})
    with Client(proxy.data) as client:
        assert client.call("GET", "/a").status == 200
    assert upstream.names == ["shop.example"]


def test_an_upstream_by_its_address_is_known_by_its_address(stage, secure, directory, authority):
    upstream = secure(authority.issue(names=["127.0.0.1"]))
    address = upstream.address.replace("localhost", "127.0.0.1")
    proxy = stage.proxy(address, upstream={"tls": {"ca": authority.write_ca(directory)}})
    with Client(proxy.data) as client:
        assert client.call("GET", "/a").status == 200
    # An address is no name to send (RFC 6066, section 3).
    assert upstream.names == [None]


def test_onceproxy_shows_its_certificate(stage, secure, directory, authority):
    clients = Authority("Clients")
    upstream = secure(clients=clients)
    certificate, key = clients.issue("onceproxy").write(directory, "own")
    proxy = front(stage, upstream, directory, authority,
                  {"certificate": certificate, "key": key})
    with Client(proxy.data) as client:
        assert client.call("GET", "/a").status == 200
    assert proxy.metrics().sum("onceproxy_tls_certificate_expires_timestamp_seconds",
                               listener="upstream") > 0
    without = front(stage, secure(clients=clients), directory, authority)
    with Client(without.data) as client:
        assert client.call(key="k").status == 502


def test_a_handshake_that_does_not_end_is_given_up(stage, directory, authority):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"localhost:{silent.getsockname()[1]}"
        proxy = stage.proxy(address, upstream={"tls": {"ca": authority.write_ca(directory)},
                                               "connect_timeout": "300ms"})
        with Client(proxy.data) as client:
            assert client.call(key="k").status == 504
            assert client.call(key="k").decision == "upstream-error"
        assert proxy.metrics().sum(FAILURES, listener="upstream", reason="timeout") == 2


def test_an_upstream_without_tls_has_its_own_reason(stage, upstream, directory, authority):
    proxy = stage.proxy(f"localhost:{upstream.port}",
                        upstream={"tls": {"ca": authority.write_ca(directory)}})
    upstream.accepts = lambda connection: connection.send(b"HTTP/1.1 400 Bad\r\n\r\n") and False
    with Client(proxy.data) as client:
        assert client.call(key="k").status == 502
    eventually(lambda: proxy.metrics().sum(FAILURES, listener="upstream", reason="not-tls") >= 1,
               "the reason")
    upstream.faults.clear()


def test_a_reload_moves_from_plain_to_tls_and_back(stage, upstream, secure, directory,
                                                   authority):
    proxy = stage.proxy(f"localhost:{upstream.port}")
    with Client(proxy.data) as client:
        assert client.call("GET", "/plain").status == 200
        encrypted = secure()
        ca = authority.write_ca(directory)
        plain = proxy.settings
        proxy.configure({**plain, "upstream": {"address": encrypted.address, "tls": {"ca": ca}}})
        assert proxy.operator.post("/reload")[0] == 200
        assert client.call("GET", "/secure").status == 200
        assert encrypted.requests == 1
        proxy.configure({**plain, "upstream": {"address": encrypted.address,
                                               "tls": {"ca": str(directory / "none.crt")}}})
        status, told = proxy.operator.post("/reload")
        assert status == 500 and "none.crt cannot be read" in str(told)
        assert client.call("GET", "/secure").status == 200
        proxy.configure(plain)
        assert proxy.operator.post("/reload")[0] == 200
        assert client.call("GET", "/plain").status == 200
    assert encrypted.requests == 2
    assert len(upstream.requests) == 2


def test_a_kept_connection_is_not_used_across_a_change_of_tls(stage, secure, directory, authority):
    upstream = secure()
    proxy = stage.proxy(upstream.address)
    tls = {"ca": authority.write_ca(directory)}
    with Client(proxy.data) as client:
        for number, target in enumerate([{}, {"tls": tls}, {}, {"tls": tls}]):
            proxy.configure({**proxy.settings, "upstream": {"address": upstream.address, **target}})
            assert proxy.operator.post("/reload")[0] == 200
            assert client.call("GET", f"/{number}").status == 200
            assert len(upstream.resumed) == (number + 1) // 2


def test_an_authority_that_is_taken_away_is_believed_no_more(stage, secure, directory, authority):
    def closes(sock, number):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        return False

    upstream = secure(answer=closes)
    proxy = front(stage, upstream, directory, authority)
    with Client(proxy.data) as client:
        assert client.call("GET", "/a").status == 200
        put(directory / "ca.crt", Authority("Another").pem)
        eventually(lambda: proxy.metrics().sum("onceproxy_tls_reloads_total", listener="upstream",
                                               result="loaded") == 1, "the new authority")
        assert client.call("GET", "/a").status == 502


def test_a_configuration_whose_upstream_files_are_bad_does_not_start(upstream, directory):
    path = directory / "bad.yaml"
    path.write_text(yaml.safe_dump({
        "listen": "127.0.0.1:0", "store": {"rocksdb": {"path": str(directory / "data")}},
        "upstream": {"address": "localhost:1", "tls": {"ca": str(directory / "none.crt")}}}))
    started = run("run", "-c", path)
    assert started.returncode == 3 and "upstream.tls: ca: " in started.stderr

"""TLS towards the upstream: which certificates are trusted, and failures. A session ticket, a partial record
or a missing close_notify is never taken for an answer."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
import yaml

from harness import Client, eventually
from harness.certificates import DAY, Authority, client_context, put
from harness.faults import Faults
from harness.process import run
from harness.secure import SecureClient
from harness.wait import PATIENCE

FAILURES = "onceproxy_tls_handshake_failures_total"
HANDSHAKES = "onceproxy_tls_handshakes_total"


@pytest.fixture(scope="module")
def authority():
    return Authority()


class SecureUpstream:
    """Speaks TLS and answers as `answer(socket, number)` says, request after request."""

    def __init__(self, context, answer=None):
        self.context, self.answer = context, answer or whole
        self.connections = self.requests = 0
        self.names, self.resumed, self.faults = [], [], []
        self.heads = []
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    address = property(lambda self: f"localhost:{self.listener.getsockname()[1]}")

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        self.connections += 1
        try:
            secure = sock
            # Whoever begins as TLS does is spoken to in TLS.
            if sock.recv(1, socket.MSG_PEEK) == b"\x16":
                secure = self.context.wrap_socket(sock, server_side=True,
                                                  suppress_ragged_eofs=False)
                self.resumed.append(secure.session_reused)
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = secure.recv(65536)
                    if not data:
                        return
                    head += data
                self.heads.append(head.decode("latin-1"))
                self.requests += 1
                if self.answer(secure, self.requests) is False:
                    return
        except OSError as fault:
            self.faults.append(fault)
        finally:
            sock.close()


def whole(secure, number):
    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def server(issued, directory, clients=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issued.write(directory, "upstream"))
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem)
    return context


@pytest.fixture
def secure(stage, directory, authority):
    """Makes upstreams, and takes them down with the stage."""

    def make(issued=None, answer=None, **more):
        made = SecureUpstream(server(issued or authority.issue(), directory, **more), answer)
        stage.upstreams.append(made)
        return made

    return make


def front(stage, upstream, directory, authority, tls=None, policies=None, variables=None, **more):
    tls = {"ca": authority.write_ca(directory), **(tls or {})}
    return stage.proxy(upstream.address, policies, variables=variables,
                       upstream={"tls": tls, **more})


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


def test_a_web_socket_is_tunnelled_from_tls_to_tls_with_its_ends(stage, secure, directory,
                                                                 authority):
    ended = threading.Event()

    def switches(sock, number):
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                     b"Upgrade: websocket\r\n\r\nhello")
        while data := sock.recv(65536):
            sock.sendall(data.upper())
        # close_notify came; an end without it would have raised.
        ended.set()
        sock.sendall(b"bye")
        sock.unwrap()
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
    def switches(sock, number):
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                     b"Upgrade: websocket\r\n\r\nhello")
        sock.recv(4)
        sock.shutdown(socket.SHUT_WR)  # of the socket alone
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
        client.send(b"now!")
        with pytest.raises(ConnectionResetError):
            rest, in_order = client.all()
            assert not in_order


def test_a_reload_moves_from_plain_to_tls_and_back(stage, upstream, directory, authority):
    proxy = stage.proxy(f"localhost:{upstream.port}")
    with Client(proxy.data) as client:
        assert client.call("GET", "/plain").status == 200
        secure = SecureUpstream(server(authority.issue(), directory))
        stage.upstreams.append(secure)
        ca = authority.write_ca(directory)
        plain = proxy.settings
        proxy.configure({**plain, "upstream": {"address": secure.address, "tls": {"ca": ca}}})
        assert proxy.operator.post("/reload")[0] == 200
        assert client.call("GET", "/secure").status == 200
        assert secure.requests == 1
        proxy.configure({**plain, "upstream": {"address": secure.address,
                                               "tls": {"ca": str(directory / "none.crt")}}})
        status, told = proxy.operator.post("/reload")
        assert status == 500 and "none.crt cannot be read" in str(told)
        assert client.call("GET", "/secure").status == 200
        proxy.configure(plain)
        assert proxy.operator.post("/reload")[0] == 200
        assert client.call("GET", "/plain").status == 200
    assert secure.requests == 2
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


# --- real servers

NGINX = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/nginx.log;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols {protocols};
    location /large {{ root {directory}; }}
    location / {{ return 200 "nginx\\n"; }}
  }}
}}
"""

HAPROXY = """
global
  log /dev/null local0
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend secure
  bind 127.0.0.1:{port} ssl crt {bundle} ssl-min-ver {protocols} alpn h2,http/1.1
  http-request return status 200 content-type text/plain string haproxy
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answers():
            assert process.poll() is None, f"{command[0]} ended"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return True

        eventually(answers, f"{command[0]} listens")
        yield
    finally:
        process.terminate()
        process.wait()


def program(name):
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if not found:
        pytest.skip(f"{name} is not installed (deploy/setup.sh --tests)")
    return found


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("peer", ["nginx", "haproxy"])
def test_a_real_server_is_spoken_to(stage, directory, authority, peer, version):
    certificate, key = authority.issue().write(directory, "peer")
    port = free_port()
    config = directory / f"{peer}.conf"
    if peer == "nginx":
        (directory / "large").mkdir()
        (directory / "large" / "file").write_bytes(b"x" * 1_000_000)
        config.write_text(NGINX.format(directory=directory, port=port, certificate=certificate,
                                       key=key, protocols=version))
        command = [program("nginx"), "-c", str(config), "-p", str(directory)]
    else:
        bundle = directory / "bundle.pem"
        bundle.write_text((directory / "peer.crt").read_text() + (directory / "peer.key").read_text())
        config.write_text(HAPROXY.format(port=port, bundle=bundle, protocols=version))
        command = [program("haproxy"), "-db", "-f", str(config)]
    with running(command, port):
        proxy = stage.proxy(f"localhost:{port}",
                            upstream={"tls": {"ca": authority.write_ca(directory)}})
        with Client(proxy.data) as client:
            for number in range(5):
                assert client.call("GET", f"/{number}").body.strip() == peer.encode()
            assert client.call(key="k", body=b"{}").decision == "forwarded"
            assert client.call(key="k", body=b"{}").decision == "replayed"
            if peer == "nginx":
                assert len(client.call("GET", "/large/file").body) == 1_000_000
        assert proxy.metrics().sum(HANDSHAKES, listener="upstream") == 1


def test_a_configuration_whose_upstream_files_are_bad_does_not_start(upstream, directory):
    path = directory / "bad.yaml"
    path.write_text(yaml.safe_dump({
        "listen": "127.0.0.1:0", "store": {"rocksdb": {"path": str(directory / "data")}},
        "upstream": {"address": "localhost:1", "tls": {"ca": str(directory / "none.crt")}}}))
    started = run("run", "-c", path)
    assert started.returncode == 3 and "upstream.tls: ca: " in started.stderr

"""TLS on the data port: which clients are accepted, and that HTTP works as without TLS."""

import contextlib
import datetime
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time

import pytest
import yaml
from cryptography import x509

from harness import Client, eventually, policy, request
from harness.certificates import DAY, Authority, client_context, put
from harness.process import PRESET, run
from harness.secure import SecureClient
from harness.wait import PATIENCE

FAILURES = "onceproxy_tls_handshake_failures_total"
HANDSHAKES = "onceproxy_tls_handshakes_total"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def files(directory, authority):
    return authority.issue().write(directory, "tls")


@pytest.fixture
def context(authority):
    return client_context(authority)


def listen(files, **more):
    return {"address": "127.0.0.1:0", "tls": {"certificate": files[0], "key": files[1], **more}}


@pytest.fixture
def proxy(stage, upstream, files):
    return stage.proxy(upstream, listen=listen(files))


def failed(proxy, reason, count=1):
    eventually(lambda: proxy.metrics().sum(FAILURES, listener="data", reason=reason) >= count,
               f"{count} handshakes failed for {reason}")


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


# --- who the client is


def shown(authority, directory, issued):
    return client_context(authority, issued, directory)


def test_client_certificates_are_required_unless_they_are_optional(stage, upstream, authority,
                                                                   directory, files, context):
    ca = authority.write_ca(directory)
    proxy = stage.proxy(upstream, listen=listen(files, client_ca=ca))
    with pytest.raises(OSError), Client(proxy.data, context=context) as client:
        client.call("GET", "/a")
        raise ConnectionError(client)
    failed(proxy, "no-certificate")
    with Client(proxy.data, context=shown(authority, directory, authority.issue("c"))) as client:
        assert client.call("GET", "/a").status == 200
    other = stage.proxy(upstream, listen=listen(files, client_ca=ca, client_certificate="optional"))
    with Client(other.data, context=context) as client:
        assert client.call("GET", "/a").status == 200


@pytest.mark.parametrize("fault", ["stranger", "expired", "early"])
def test_a_bad_client_certificate_is_refused(stage, upstream, authority, directory, files, fault):
    proxy = stage.proxy(upstream, listen=listen(files, client_ca=authority.write_ca(directory)))
    issued = {"stranger": lambda: Authority("Stranger").issue("c"),
              "expired": lambda: authority.issue("c", begins=-9 * DAY, ends=-DAY),
              "early": lambda: authority.issue("c", begins=DAY)}[fault]()
    with pytest.raises((OSError, AssertionError, Exception)):
        with Client(proxy.data, context=shown(authority, directory, issued)) as client:
            client.call("GET", "/a")
    failed(proxy, "bad-certificate")
    assert upstream.requests == []


def test_a_client_that_is_no_longer_trusted_cannot_resume_its_session(stage, upstream, authority,
                                                                      directory, files):
    mine = Authority("Clients")
    ca = mine.write_ca(directory, "clients")
    proxy = stage.proxy(upstream, listen=listen(files, client_ca=ca))
    context = shown(authority, directory, mine.issue("c"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # Python keeps its sessions by hand
    with SecureClient(proxy.data, context) as client:
        client.send(request("GET", "/a"))
        assert client.receive().startswith(b"HTTP/1.1 200")
        session = client.tls.session
    with SecureClient(proxy.data, context, session=session) as client:
        client.send(request("GET", "/a"))
        assert client.receive().startswith(b"HTTP/1.1 200")
        assert client.tls.session_reused
    put(ca, Authority("Other").pem)
    eventually(lambda: proxy.metrics().sum("onceproxy_tls_reloads_total", listener="data",
                                           result="loaded") == 1, "the new authority in force")
    with pytest.raises(OSError):
        with SecureClient(proxy.data, context, session=session) as client:
            client.send(request("GET", "/a"))
            raise ConnectionError(client.receive())
    failed(proxy, "bad-certificate")


def test_a_session_does_not_outlive_the_certificate_that_began_it(stage, upstream, authority,
                                                                  directory, files):
    proxy = stage.proxy(upstream, listen=listen(files, client_ca=authority.write_ca(directory)))
    ends = datetime.timedelta(seconds=8)
    brief = authority.issue("brief", ends=ends)
    context = shown(authority, directory, brief)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # Python keeps its sessions by hand
    with SecureClient(proxy.data, context) as client:
        client.send(request("GET", "/a"))
        assert client.receive().startswith(b"HTTP/1.1 200")
        session = client.tls.session
    # A session that is not resumed would ask for the certificate again, and be refused for that.
    with SecureClient(proxy.data, context, session=session) as client:
        assert client.tls.session_reused
    over = brief.certificate.not_valid_after
    eventually(lambda: datetime.datetime.utcnow() > over, "the certificate's end")
    with pytest.raises(OSError):
        with SecureClient(proxy.data, context, session=session) as client:
            client.send(request("GET", "/a"))
            raise ConnectionError(client.receive())
    failed(proxy, "bad-certificate")
    assert len(upstream.requests) == 1


def test_the_upstream_gets_the_verified_identity_of_the_client_only(stage, upstream, authority,
                                                                    directory, files):
    own = authority.issue(names=["localhost", "spiffe://shop/proxy"]).write(directory, "tls")
    proxy = stage.proxy(upstream, listen=["127.0.0.1:0", listen(
        own, client_ca=authority.write_ca(directory))])
    addresses = [line["address"] for line in proxy.stderr.json() if line.get("listener") == "data"]
    plain, secure = (("127.0.0.1", int(each.rpartition(":")[2])) for each in addresses)
    caller = authority.issue("caller", names=["caller.example", "spiffe://shop/caller"])
    forged = [("X-Forwarded-Client-Cert", "Hash=00;URI=spiffe://shop/admin")]
    with Client(secure, context=shown(authority, directory, caller)) as client:
        client.call("GET", "/passed", headers=forged)
        client.call(key="k", headers=forged)
    with Client(plain) as client:
        client.call("GET", "/plain", headers=forged)
    told = [each.all("x-forwarded-client-cert") for each in upstream.wait_for_requests(3)]
    expected = (f'By=spiffe://shop/proxy;Hash={caller.sha256};Subject="CN=caller";'
                "URI=spiffe://shop/caller;DNS=caller.example")
    assert told == [[expected], [expected], []]


# --- new certificates while requests run


def common_name(address, context):
    with SecureClient(address, context) as client:
        return dict(pair[0] for pair in client.tls.getpeercert()["subject"])["commonName"]


def test_certificates_change_under_load_without_a_failed_request(proxy, upstream, authority,
                                                                 directory, context):
    rounds = 4
    stop, problems, served = threading.Event(), [], [0]

    def load(number):
        client = Client(proxy.data, context=context)
        try:
            while not stop.is_set():
                # A kept connection, and new ones.
                if served[0] % 3 == 0:
                    client.close()
                    client = Client(proxy.data, context=context)
                answer = client.call("GET", f"/{number}")
                assert answer.status == 200, answer
                served[0] += 1
        except Exception as problem:
            problems.append(problem)
        finally:
            client.close()

    threads = [threading.Thread(target=load, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(rounds):
            issued = authority.issue(f"round-{number}")
            issued.write(directory, "tls")
            eventually(lambda: common_name(proxy.data, context) == f"round-{number}",
                       f"certificate {number} in force")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not problems, problems
    assert served[0] > rounds


def test_a_swapped_link_brings_the_new_certificate(stage, upstream, authority, directory, context):
    """As a kubelet brings a new Secret: one link is swapped, two directories up."""
    for version in ("one", "two"):
        authority.issue(version).write(directory / f"..{version}", "tls")
    (directory / "..data").symlink_to("..one")
    for name in ("tls.crt", "tls.key"):
        (directory / name).symlink_to(f"..data/{name}")
    proxy = stage.proxy(upstream, listen=listen([str(directory / "tls.crt"),
                                                 str(directory / "tls.key")]))
    assert common_name(proxy.data, context) == "one"
    (directory / "..new").symlink_to("..two")
    (directory / "..new").rename(directory / "..data")
    eventually(lambda: common_name(proxy.data, context) == "two", "the new certificate")
    assert proxy.metrics().sum("onceproxy_tls_reloads_total", listener="data", result="failed") == 0


def test_a_renewal_with_the_same_missing_issuer_replaces_the_certificate(stage, upstream, authority,
                                                                         directory, context):
    """A private authority that names the address of its root, as Vault and others do, and issues directly."""
    place = x509.AuthorityInformationAccess([x509.AccessDescription(
        x509.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example/root"))])
    files = authority.issue("one", more=[place]).write(directory, "tls")
    proxy = stage.proxy(upstream, listen=listen(files))
    assert common_name(proxy.data, context) == "one"
    authority.issue("two", more=[place]).write(directory, "tls")
    eventually(lambda: common_name(proxy.data, context) == "two", "the new certificate")
    said = proxy.stderr.wait_for(lambda line: "a fault of the previous ones" in line.get("message", ""), "the log line")
    assert "incomplete chain" in said["error"]
    # A fault that the active certificate does not have is a reason to keep it.
    authority.issue("old", begins=-2 * DAY, ends=-DAY).write(directory, "tls")
    assert proxy.stderr.wait_for(lambda line: "expired on" in line.get("error", ""), "the expired one refused")
    assert common_name(proxy.data, context) == "two" and reloads(proxy, "loaded") == 1


def test_a_certificate_file_that_vanishes_is_counted(stage, upstream, authority, directory, context):
    files = authority.issue("one").write(directory, "tls")
    proxy = stage.proxy(upstream, listen=listen(files))
    pathlib.Path(files[0]).unlink()
    eventually(lambda: reloads(proxy, "failed") == 1, "the missing file counted")
    assert common_name(proxy.data, context) == "one"
    authority.issue("two").write(directory, "tls")
    eventually(lambda: common_name(proxy.data, context) == "two", "the new certificate")


def reloads(proxy, result):
    return proxy.metrics().sum("onceproxy_tls_reloads_total", listener="data", result=result)


@pytest.mark.skipif(not os.environ.get("ONCEPROXY_LONG"), reason="takes half an hour")
def test_a_thousand_renewals_under_load_fail_no_request(proxy, authority, directory, context):
    """A look at the files is a second apart, and two have to agree."""
    stop, problems, served = threading.Event(), [], [0]

    def load(number):
        while not stop.is_set():
            try:
                with Client(proxy.data, context=context) as client:
                    for _ in range(20):
                        assert client.call("GET", f"/{number}").status == 200
                        served[0] += 1
            except Exception as problem:
                problems.append(problem)

    threads = [threading.Thread(target=load, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1000):
            authority.issue(f"round-{number}").write(directory, "tls")
            eventually(lambda: common_name(proxy.data, context) == f"round-{number}",
                       f"certificate {number} in force")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not problems, problems[:5]
    assert served[0] > 1000


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


def test_the_caller_is_identified_by_the_certificate_and_not_by_a_header(
        stage, upstream, authority, directory, files):
    proxy = stage.proxy(upstream, [policy(scope=[{"client_certificate": "san_uri"}])],
                        listen=listen(files, client_ca=authority.write_ca(directory)))
    one, two, nobody = (authority.issue(names[0], names) for names in (
        ["spiffe://shop/one"], ["spiffe://shop/two"], ["nobody.example"]))
    forged = [("X-Forwarded-Client-Cert", "URI=spiffe://shop/one")]
    decisions = []
    for issued, headers in ((one, []), (two, forged), (one, []), (nobody, forged)):
        with Client(proxy.data, context=shown(authority, directory, issued)) as client:
            decisions.append(client.call(key="k", headers=headers).decision)
    assert decisions == ["forwarded", "forwarded", "replayed", "missing-key"]


def test_a_policy_does_not_read_what_a_client_says_of_its_certificate(stage, upstream, authority,
                                                                      directory, files):
    covered = policy(match={"headers": {"x-forwarded-client-cert": {"present": True}}})
    proxy = stage.proxy(upstream, [covered], listen=listen(
        files, client_ca=authority.write_ca(directory), client_certificate="optional"))
    with Client(proxy.data, context=client_context(authority)) as client:
        answer = client.call(key="k", headers=[("X-Forwarded-Client-Cert", "URI=spiffe://a/b")])
    assert answer.decision is None
    assert upstream.requests[0]["x-forwarded-client-cert"] is None


def test_explain_takes_the_certificate(directory, authority, files):
    ca = authority.write_ca(directory)
    path, raw = directory / "explained.yaml", directory / "request"
    path.write_text(yaml.safe_dump({
        "listen": listen(files, client_ca=ca), "upstream": {"address": "127.0.0.1:1"},
        "policies": [policy(scope=[{"client_certificate": "san_uri"}])]}))
    raw.write_text("POST /orders HTTP/1.1\nHost: a\nIdempotency-Key: k\n\n{}")
    certificate, _ = authority.issue(names=["spiffe://shop/one"]).write(directory, "caller")
    told = run("explain", "-c", path, "--certificate", certificate, raw)
    assert told.returncode == 0, told.stderr
    assert "client_certificate: san_uri = spiffe://shop/one" in told.stdout
    assert "missing" in run("explain", "-c", path, raw).stdout
    bad = run("explain", "-c", path, "--certificate", raw, raw)
    assert bad.returncode == 2 and "holds no certificate in PEM form" in bad.stderr

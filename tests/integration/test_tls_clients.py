"""Client certificates on the data port: which are accepted, and what policies and the service learn of them."""

import datetime
import ssl

import pytest
import yaml

from harness import Client, eventually, policy, request
from harness.certificates import DAY, Authority, client_context, put
from harness.data_tls import failed, listen
from harness.process import run
from harness.secure import SecureClient


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

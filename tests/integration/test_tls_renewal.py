"""Certificates of the data port that change while requests run."""

import datetime
import os
import pathlib
import threading

import pytest
from cryptography import x509

from harness import Client, eventually
from harness.certificates import DAY, issue
from harness.data_tls import listen
from harness.secure import SecureClient

# Later than the start of the program, and no long wait.
SOON = datetime.timedelta(seconds=4)


@pytest.fixture
def proxy(stage, upstream, files):
    return stage.proxy(upstream, listen=listen(files))


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


def test_authorities_that_expired_since_the_start_do_not_hinder_a_renewal(stage, upstream, authority, directory,
                                                                          context):
    ca = issue("Clients", [], ends=SOON, ca=True)
    files = authority.issue("one").write(directory, "tls")
    client_ca = ca.write(directory, "clients")[0]
    proxy = stage.proxy(upstream, listen=listen(files, client_ca=client_ca, client_certificate="optional"))
    assert common_name(proxy.data, context) == "one"
    passed(ca.certificate.not_valid_after)
    authority.issue("two").write(directory, "tls")
    eventually(lambda: common_name(proxy.data, context) == "two", "the new certificate")


def test_a_certificate_that_became_valid_is_not_replaced_by_one_that_is_not(stage, upstream, authority, directory,
                                                                            context):
    early = authority.issue("one", begins=SOON)
    proxy = stage.proxy(upstream, listen=listen(early.write(directory, "tls")))
    passed(early.certificate.not_valid_before)
    assert common_name(proxy.data, context) == "one"
    authority.issue("tomorrow", begins=DAY).write(directory, "tls")
    refused = proxy.stderr.wait_for(lambda line: "certificates not loaded" in line.get("message", ""), "the refusal")
    assert "is not valid before" in refused["error"]
    assert common_name(proxy.data, context) == "one" and reloads(proxy, "loaded") == 0


def passed(moment):
    """Waits until the clock, by which certificates are judged, is past `moment`."""
    eventually(lambda: datetime.datetime.utcnow() > moment + datetime.timedelta(seconds=1), f"{moment} passed")


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

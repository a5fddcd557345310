"""TLS on the admin and telemetry ports, and how `check` reports problems of the files."""

import datetime
import json
import socket
import ssl
import time

import pytest
import yaml

from harness import StartFailed, eventually
from harness.admin import Admin
from harness.certificates import DAY, Authority, client_context, put
from harness.data_tls import listen
from harness.process import run
from harness.wait import PATIENCE

EXPIRES = "onceproxy_tls_certificate_expires_timestamp_seconds"
FAILURES = "onceproxy_tls_handshake_failures_total"


def test_the_admin_port_speaks_tls(stage, upstream, authority, files):
    proxy = stage.proxy(upstream, admin={"listen": listen(files)})
    admin = Admin(proxy.admin, context=client_context(authority))
    assert admin.get("/server_info")["state"] == "LIVE"
    assert proxy.metrics().sum("onceproxy_tls_handshakes_total", listener="admin", kind="full") == 1
    thirty_days = time.time() + 30 * 86400
    assert abs(proxy.metrics().sum(EXPIRES, listener="admin") - thirty_days) < 3600


def test_a_client_that_does_not_trust_the_authority_is_counted_as_refusing(stage, upstream, files):
    proxy = stage.proxy(upstream, admin={"listen": listen(files)})
    with pytest.raises(ssl.SSLCertVerificationError):
        Admin(proxy.admin, context=client_context()).get("/ready")
    eventually(lambda: proxy.metrics().sum(FAILURES, listener="admin", reason="refused") == 1,
               "the refusal in the metrics")


def test_plain_http_on_a_tls_port_is_counted_and_logged(stage, upstream, files):
    proxy = stage.proxy(upstream, admin={"listen": listen(files)})
    with pytest.raises(OSError):
        Admin(proxy.admin).get("/ready")
    assert proxy.stderr.wait_for(lambda line: line.get("reason") == "not-tls", "the failure")
    assert proxy.metrics().sum(FAILURES, listener="admin", reason="not-tls") == 1


def test_the_telemetry_port_speaks_tls(stage, upstream, authority, files):
    proxy = stage.proxy(upstream, telemetry={"listen": listen(files)})
    proxy.telemetry_context = client_context(authority)
    telemetry = Admin(proxy.telemetry, context=proxy.telemetry_context)
    assert "onceproxy_build_info" in telemetry.get("/metrics")
    assert telemetry.call("GET", "/ready")[0] == 200


def test_client_certificates_stand_in_for_a_token(stage, upstream, directory, authority, files):
    ca = authority.write_ca(directory)
    proxy = stage.proxy(upstream,
                        admin={"listen": listen(files, "0.0.0.0:0", client_ca=ca)})
    address = ("127.0.0.1", proxy.admin[1])
    with pytest.raises(OSError):
        Admin(address, context=client_context(authority)).get("/ready")
    shown = client_context(authority, authority.issue("operator"), directory)
    assert Admin(address, context=shown).get("/server_info")["state"] == "LIVE"
    status, _ = Admin(address, context=shown).call("POST", "/healthcheck/fail")
    assert status == 200
    eventually(lambda: "(CN=operator)" in json.dumps(Admin(address, context=shown).get("/audit")),
               "who it was in the audit log")


def test_a_token_that_may_only_read_changes_nothing(stage, upstream, directory):
    (directory / "token").write_text("full\n")
    (directory / "read").write_text("read\n")
    proxy = stage.proxy(upstream, admin={"listen": "127.0.0.1:0",
                                         "token_file": str(directory / "token"),
                                         "read_token_file": str(directory / "read")})
    reader, full = Admin(proxy.admin, "read"), Admin(proxy.admin, "full")
    assert reader.call("GET", "/records")[0] == 200
    assert reader.call("HEAD", "/help")[0] == 200
    assert reader.call("POST", "/healthcheck/fail") == (403, "this token may only read\n")
    assert reader.call("DELETE", "/records/" + "0" * 64)[0] == 403
    assert full.call("POST", "/healthcheck/fail")[0] == 200
    assert Admin(proxy.admin, "other").call("GET", "/records")[0] == 401
    assert Admin(proxy.admin).call("GET", "/records")[0] == 401


def test_records_are_asked_for_through_tls(stage, upstream, directory, authority, files):
    ca = authority.write_ca(directory)
    proxy = stage.proxy(upstream, admin={"listen": listen(files, client_ca=ca)})
    certificate, key = authority.issue("operator").write(directory, "operator")
    admin = f"localhost:{proxy.admin[1]}"
    options = ["--admin", admin, "--ca", ca]
    good = run("records", "list", *options, "--certificate", certificate, "--key", key)
    assert (good.returncode, good.stderr) == (0, "")
    other = Authority("Other").write_ca(directory, "other")
    bad = run("records", "list", "--admin", admin, "--ca", other)
    assert bad.returncode == 2
    assert "no TLS connection: certificate verify failed" in bad.stderr
    named = run("records", "list", *options, "--server-name", "shop.example")
    assert "hostname mismatch" in named.stderr
    assert run("records", "list", "--admin", admin, "--key", key).returncode == 1


def test_a_new_certificate_is_shown_and_a_bad_one_is_not(stage, upstream, directory, authority,
                                                         files):
    proxy = stage.proxy(upstream, admin={"listen": listen(files)})
    context = client_context(authority)

    def shown():
        with socket.create_connection(proxy.admin) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                return dict(pair[0] for pair in secure.getpeercert()["subject"])["commonName"]

    assert shown() == "service"
    authority.issue("renewed", ends=60 * DAY).write(directory, "tls")
    eventually(lambda: shown() == "renewed", "the new certificate")
    eventually(lambda: proxy.metrics().sum("onceproxy_tls_reloads_total", listener="admin",
                                           result="loaded") >= 1, "the count")
    put(files[0], authority.issue("stranger").chain)
    told = proxy.stderr.wait_for(
        lambda line: line.get("message") == "certificates not loaded; the active ones stay in use"
        and "does not fit" in line["error"] and "tls.key" in line["error"], "the reason")
    assert told["key"] == "admin.listen.tls"
    assert shown() == "renewed"
    eventually(lambda: proxy.metrics().sum("onceproxy_tls_reloads_total", listener="admin",
                                           result="failed") >= 1, "the count")


def test_a_certificate_that_is_not_valid_yet_is_loaded_once_it_is(stage, upstream, directory, authority,
                                                                  files):
    proxy = stage.proxy(upstream, admin={"listen": listen(files)})

    def shown():
        return ssl.get_server_certificate(proxy.admin)

    def early():
        return [line for line in proxy.stderr.json() if "is not valid before" in line.get("error", "")]

    before = shown()
    authority.issue(begins=datetime.timedelta(seconds=4)).write(directory, "tls")
    eventually(early, "the new certificate refused")
    assert shown() == before
    eventually(lambda: shown() != before, "the new certificate shown")
    assert len(early()) == 1, "the same fault is reported once"


def test_an_expired_certificate_does_not_take_the_place_of_a_good_one(stage, upstream, directory,
                                                                      authority, files):
    proxy = stage.proxy(upstream, admin={"listen": listen(files)})
    authority.issue("old", begins=-9 * DAY, ends=-DAY).write(directory, "tls")
    assert proxy.stderr.wait_for(
        lambda line: line.get("message") == "certificates not loaded; the active ones stay in use"
        and "expired on" in line["error"], "the reason")
    assert Admin(proxy.admin, context=client_context(authority)).get("/server_info")


def test_a_start_with_files_that_fit_nothing_ends_with_their_names(stage, upstream, directory,
                                                                   authority, files):
    put(files[1], authority.issue().key_pem)
    with pytest.raises(StartFailed) as failed:
        stage.proxy(upstream, admin={"listen": listen(files)})
    assert failed.value.code == 3
    assert "admin.listen.tls: key: " in failed.value.output
    stage.proxies.clear()


def check(directory, upstream, listener, **more):
    config = {"listen": listener, "upstream": {"address": upstream.address, **more}}
    path = directory / "check.yaml"
    path.write_text(yaml.safe_dump(config))
    return run("check", path, within=PATIENCE)


def test_check_reads_the_files_and_names_what_is_wrong(directory, upstream, authority, files):
    assert check(directory, upstream, listen(files)).returncode == 0
    put(files[1], authority.issue().key_pem)
    found = check(directory, upstream, listen(files))
    assert found.returncode == 1
    assert f"listen.tls.key: {files[1]} does not fit the certificate in {files[0]}" in found.stderr
    old = authority.issue("old", begins=-9 * DAY, ends=-DAY).write(directory, "old")
    early = authority.issue("early", begins=DAY).write(directory, "early")
    found = check(directory, upstream, [listen(old, "127.0.0.1:1"), listen(early, "127.0.0.1:2")])
    assert f"listen[0].tls.certificate: {old[0]} expired on " in found.stderr
    assert f"listen[1].tls.certificate: {early[0]} is not valid before " in found.stderr
    found = check(directory, upstream, "127.0.0.1:1", tls={"ca": str(directory / "none.crt")})
    assert "upstream.tls.ca: " in found.stderr and "cannot be read: No such file" in found.stderr


def test_check_says_what_a_chain_lacks_and_what_may_be_meant(directory, upstream, authority):
    middle = Authority("Middle", authority)
    own = middle.issue()
    files = own.write(directory, "tls")
    assert check(directory, upstream, listen(files)).stderr.count("note: ") == 1
    put(files[0], own.pem + authority.pem)
    found = check(directory, upstream, listen(files))
    assert found.returncode == 1
    assert 'holds an incomplete chain: behind certificate 1 must come the one that issued it' in \
        found.stderr

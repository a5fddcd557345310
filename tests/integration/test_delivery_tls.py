"""Listeners that are reached by HTTPS."""

import json
import pathlib

import pytest

from harness import eventually
from harness.certificates import Authority, put, server_context
from harness.fan_out import QUICK, dispatch, send, wait_for_states
from harness.process import run


def secure(listener, ca, **tls):
    return listener.settings(backoff=QUICK, attempts=2, timeout="2s", tls={"ca": ca, **tls})


def delivery_of(proxy, fingerprint, listener):
    found = proxy.operator.get(f"/deliveries/{fingerprint}")["items"][0]
    return {each["listener"]: each for each in found["deliveries"]}[listener]


def test_an_event_goes_to_a_listener_by_https(stage, listeners, upstream, authority, directory):
    a = listeners.add("a", tls=server_context(authority.issue(), directory))
    proxy = stage.proxy(upstream, [dispatch([secure(a, authority.write_ca(directory))])])
    for number in range(3):
        wait_for_states(proxy, send(proxy, "r1", number), {"a": "NOTIFIED"})
    assert len(a.bodies()) == 3
    metrics = proxy.metrics()
    assert metrics.sum("onceproxy_tls_handshakes_total", listener="delivery") >= 1
    assert metrics.sum("onceproxy_tls_handshake_failures_total", listener="delivery") == 0


@pytest.mark.parametrize("what, reason", [("another authority", "certificate"),
                                          ("another name", "mismatch"), ("no TLS", "too long")])
def test_a_listener_that_is_not_the_right_one_gets_nothing(stage, listeners, upstream, authority,
                                                           directory, what, reason):
    issuer = Authority("Another Root") if what == "another authority" else authority
    names = ("elsewhere.example",) if what == "another name" else ("localhost", "127.0.0.1")
    context = None if what == "no TLS" else server_context(issuer.issue(names=names), directory)
    a = listeners.add("a", tls=context)
    proxy = stage.proxy(upstream, [dispatch([secure(a, authority.write_ca(directory))])])
    fingerprint = send(proxy, "r1")
    wait_for_states(proxy, fingerprint, {"a": "DEAD"})
    assert not a.all()
    listeners.problems.clear()  # the handshake is no HTTP
    error = delivery_of(proxy, fingerprint, "a")["error"]
    assert error.startswith("no TLS: ") and reason.lower() in error.lower(), error
    assert proxy.metrics().sum("onceproxy_tls_handshake_failures_total", listener="delivery") == 2
    assert any(line.get("message") == "TLS handshake failed" for line in proxy.stderr.json())


def test_a_listener_that_asks_for_a_certificate_gets_ours(stage, listeners, upstream, authority,
                                                          directory):
    a = listeners.add("a", tls=server_context(authority.issue(), directory, authority))
    certificate, key = authority.issue("onceproxy").write(directory, "ours")
    ca = authority.write_ca(directory)
    proxy = stage.proxy(upstream, [dispatch([secure(a, ca, certificate=certificate, key=key)])])
    wait_for_states(proxy, send(proxy, "r1"), {"a": "NOTIFIED"})


def test_a_renewed_authority_is_taken_up(stage, listeners, upstream, authority, directory):
    """The listener's certificate is issued by another authority, and the file that names those that are
    trusted follows."""
    other = Authority("Another Root")
    a = listeners.add("a", tls=server_context(other.issue(), directory))
    ca = authority.write_ca(directory)
    settings = a.settings(backoff=QUICK, attempts=1000, tls={"ca": ca})
    proxy = stage.proxy(upstream, [dispatch([settings])])
    fingerprint = send(proxy, "r1")
    eventually(lambda: delivery_of(proxy, fingerprint, "a")["attempts"] > 0, "an attempt in vain")
    put(ca, other.pem)
    wait_for_states(proxy, fingerprint, {"a": "NOTIFIED"})


def test_files_of_a_listener_are_checked(stage, listeners, upstream, directory):
    a = listeners.add("a")
    proxy = stage.proxy(upstream, [dispatch([secure(a, str(directory / "missing.pem"))])], start=False)
    checked = run("check", proxy.config)
    assert checked.returncode == 1
    assert "policies[0].delivery.listeners[0].tls.ca" in checked.stderr, checked.stderr


def test_listeners_of_a_file_are_tried_again_until_they_can_be_used(stage, listeners, upstream, authority,
                                                                    directory):
    a, b = listeners.add("a"), listeners.add("b", tls=server_context(authority.issue(), directory))
    file, missing = directory / "listeners.yaml", directory / "later.pem"
    file.write_text(json.dumps([a.settings()]))
    rules = dispatch([])
    rules["delivery"] = {"listeners_file": str(file)}
    proxy = stage.proxy(upstream, [rules])
    file.write_text(json.dumps([a.settings(), secure(b, str(missing))]))
    eventually(lambda: any("listeners cannot be used" in line.get("message", "")
                           for line in proxy.stderr.json()), "the problem in the log")
    wait_for_states(proxy, send(proxy, "r1"), {"a": "NOTIFIED"})
    # The file of listeners does not change.
    put(missing, pathlib.Path(authority.write_ca(directory)).read_text())
    eventually(lambda: proxy.metrics().sum("onceproxy_delivery_listeners") == 2, "both listeners")
    wait_for_states(proxy, send(proxy, "r2"), {"a": "NOTIFIED", "b": "NOTIFIED"})

"""Overrides by an alert's severity: how long it is remembered, how often it may come, and how its duplicates
are answered."""

import threading

from harness import Client, eventually, policy, request
from harness.client import once
from harness.upstream import executed_after


def alerts(**changes):
    return policy(
        name="alerts",
        match={"path": "/alerts"},
        fingerprint=[{"body": "/name"}],
        payload=[],
        window="1h",
        overrides=[
            {"where": {"body": "/severity", "equals": "critical"}, "window": "200ms",
             "in_flight": {"action": "acknowledge"}},
            {"where": [{"body": "/severity", "in": ["warning", "info"]},
                       {"header": "x-team", "equals": "night"}],
             "rate_limit": {"limit": 1, "per": "1h", "by": [{"body": "/severity"}]},
             "on_duplicate": {"status": 200, "body": "seen"}},
        ],
        **changes)


def alert(name, severity, **headers):
    return request(target="/alerts", headers=headers, body={"name": name, "severity": severity})


def test_the_window_is_the_severity_s(stage):
    upstream = stage.upstream(key=lambda r: r.body)
    proxy = stage.proxy(upstream, [alerts()])
    for severity in ("critical", "minor"):
        assert once(proxy.data, alert(severity, severity)).decision == "forwarded"
    eventually(lambda: once(proxy.data, alert("critical", "critical")).decision == "forwarded",
               "the critical one is forgotten")
    assert once(proxy.data, alert("minor", "minor")).decision == "replayed"


def test_the_first_that_applies_in_full_decides(stage, upstream):
    proxy = stage.proxy(upstream, [alerts()])
    # Of the second override's two conditions only one holds.
    for number in range(3):
        assert once(proxy.data, alert(f"a{number}", "warning")).decision == "forwarded"
    assert once(proxy.data, alert("a0", "warning")).decision == "replayed"
    assert once(proxy.data, alert("b0", "warning", **{"x-team": "night"})).decision == "forwarded"
    assert once(proxy.data, alert("b0", "warning", **{"x-team": "night"})).decision == "suppressed"
    assert once(proxy.data, alert("b1", "warning", **{"x-team": "night"})).decision == "rate-limited"
    assert once(proxy.data, alert("b1", "info", **{"x-team": "night"})).decision == "forwarded"


def test_an_override_can_acknowledge_requests_under_way(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish), key=lambda r: r.body)
    proxy = stage.proxy(upstream, [alerts()])
    with Client(proxy.data) as critical, Client(proxy.data) as minor:
        critical.send(alert("a", "critical"))
        minor.send(alert("b", "minor"))
        upstream.wait_for_requests(2)
        assert once(proxy.data, alert("a", "critical")).decision == "acknowledged"
        assert once(proxy.data, alert("b", "minor")).decision == "in-flight"
        finish.set()
        assert critical.read("POST").status == minor.read("POST").status == 200


def test_every_refusal_can_have_the_answer_a_broker_wants(stage, upstream):
    words = ["mismatch", "missing-key", "bad-key", "stale"]
    proxy = stage.proxy(upstream, [policy(
        payload=[{"content": True}],
        entity={"type": "order", "id": [{"const": "all"}], "sequence": {"body": "/n"}},
        respond={word: {"status": 202, "headers": {"x-word": word}, "body": word}
                 for word in words})])
    assert once(proxy.data, request(key="a", body={"n": 5})).decision == "forwarded"
    refused = [
        once(proxy.data, request(key="a", body={"n": 6})),
        once(proxy.data, request(body={"n": 6})),
        once(proxy.data, request(key="a,b", body={"n": 6})),
        once(proxy.data, request(key="b", body={"n": 4})),
    ]
    for word, answer in zip(words, refused):
        assert (answer.status, answer.decision) == (202, word)
        assert (answer["x-word"], answer.body) == (word, word.encode())

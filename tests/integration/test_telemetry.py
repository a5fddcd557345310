"""The telemetry port: every decision is counted, and no label contains text from a client."""

import pathlib
import re
import threading
import urllib.error
import urllib.request

import pytest

from harness import Client, eventually, policy, request
from harness.certificates import Authority
from harness.client import once

BODY = {"n": 1}


def fetch(address, path, method="GET"):
    host, port = address
    asked = urllib.request.Request(f"http://{host}:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("port", ["telemetry", "admin"])
def test_ready_and_metrics_are_served(proxy, port):
    address = getattr(proxy, port)
    assert fetch(address, "/ready")[0] == 200
    status, text = fetch(address, "/metrics")
    assert status == 200 and "onceproxy_build_info{" in text


def test_live_is_served(proxy):
    assert fetch(proxy.telemetry, "/live")[0] == 200


@pytest.mark.parametrize("path", ["/quitquitquit", "/drain_listeners", "/healthcheck/fail", "/logging"])
def test_the_telemetry_port_changes_nothing(proxy, path):
    assert fetch(proxy.telemetry, path, "POST")[0] in (404, 405)
    assert fetch(proxy.telemetry, "/ready")[0] == 200


def test_the_data_port_serves_no_metrics_of_its_own(proxy, upstream):
    once(proxy.data, request("GET", "/metrics"))
    assert upstream.requests[0].target == "/metrics"


def test_every_decision_is_counted_once(stage):
    def answer(exchange):
        if exchange.request["idempotency-key"] == "lost":
            exchange.connection.reset()
        else:
            exchange.answer(200, b"x" * (5000 if exchange.request["idempotency-key"] == "big" else 1))

    upstream = stage.upstream(answer)
    fixed = policy(name="fixed", match={"path": "/fixed"}, on_duplicate={"status": 200})
    proxy = stage.proxy(upstream, [policy(replay={"max_body": "1KiB"}, lease="60s"), fixed])
    wanted = {}

    def send(decision, policy_name="orders", **kwargs):
        kwargs.setdefault("body", BODY)
        response = once(proxy.data, request(**kwargs))
        assert response.decision in (decision, None)
        wanted[policy_name, decision] = wanted.get((policy_name, decision), 0) + 1

    send("forwarded", key="a")
    send("replayed", key="a")
    send("replayed", key="a")
    send("mismatch", key="a", body={"n": 2})
    send("missing-key")
    send("bad-key", key="a,b")
    send("upstream-error", key="lost")
    send("held", key="lost")
    send("forwarded", key="big")
    send("not-replayable", key="big")
    send("forwarded", "fixed", key="a", target="/fixed")
    send("suppressed", "fixed", key="a", target="/fixed")
    send("passed", "", target="/uncovered")
    send("bad-request", "", target="/a%2Fb")
    total = sum(wanted.values())
    for name in ("onceproxy_requests_total", "onceproxy_request_duration_seconds_count"):
        eventually(lambda: proxy.metrics().sum(name) == total, f"all are counted in {name}")
    metrics = proxy.metrics()
    for (name, decision), count in wanted.items():
        assert metrics.decisions(decision, name) == count, (name, decision)
        assert metrics.sum("onceproxy_request_duration_seconds_count", policy=name,
                           decision=decision) == count, (name, decision)
    assert metrics.sum("onceproxy_bad_requests_total") == 1
    assert metrics.sum("onceproxy_upstream_requests_total", policy="orders", code_class="2xx") == 2
    assert metrics.sum("onceproxy_upstream_requests_total", policy="orders", code_class="error") == 1
    # Every duplicate of a completed operation has an age: two replays, one not replayable.
    assert metrics.sum("onceproxy_duplicate_age_seconds_count", policy="orders") == 3
    assert metrics.sum("onceproxy_duplicate_age_seconds_count", policy="fixed") == 1


def test_the_promised_metrics_are_there(proxy):
    once(proxy.data, request(key="a"))
    once(proxy.data, request(key="a"))
    once(proxy.data, request(target="/%2F"))
    proxy.decided("replayed")
    proxy.decided("bad-request", policy="")
    metrics = proxy.metrics()
    kinds = {
        "onceproxy_requests_total": "counter",
        "onceproxy_request_duration_seconds": "histogram",
        "onceproxy_upstream_requests_total": "counter",
        "onceproxy_upstream_duration_seconds": "histogram",
        "onceproxy_reservations_active": "gauge",
        "onceproxy_leases_expired_total": "counter",
        "onceproxy_permits_refused_total": "counter",
        "onceproxy_duplicate_age_seconds": "histogram",
        "onceproxy_store_commit_duration_seconds": "histogram",
        "onceproxy_store_batch_size": "histogram",
        "onceproxy_store_bytes": "gauge",
        "onceproxy_store_records": "gauge",
        "onceproxy_connections": "gauge",
        "onceproxy_bad_requests_total": "counter",
        "onceproxy_config_last_reload_successful": "gauge",
        "onceproxy_config_last_reload_success_timestamp_seconds": "gauge",
        "onceproxy_build_info": "gauge",
        "process_cpu_seconds_total": "counter",
        "process_resident_memory_bytes": "gauge",
        "process_open_fds": "gauge",
        "process_start_time_seconds": "gauge",
    }
    missing = {name: kind for name, kind in kinds.items() if metrics.types.get(name) != kind}
    assert not missing
    assert metrics.sum("onceproxy_store_commit_duration_seconds_count") >= 2
    assert metrics.sum("onceproxy_config_last_reload_successful") == 1


def test_no_label_holds_what_a_client_wrote(proxy):
    secret = "sEcReT"
    for data in (
        request(key=secret), request(target=f"/{secret}"), request(secret, "/x"),
        request(key=secret, host=f"{secret}.example"),
        request(key="b", headers={"User-Agent": secret, "X-Request-Id": secret}),
        request(target=f"/%2F{secret}"),
    ):
        once(proxy.data, data, "POST")
    proxy.decided("passed", 2, policy="")
    assert secret.lower() not in proxy.metrics().text.lower()


def test_connections_are_counted_on_both_sides(proxy):
    def connections(side):
        return proxy.metrics().sum("onceproxy_connections", side=side)

    with Client(proxy.data) as one, Client(proxy.data) as two:
        one.call(key="a")
        two.call(key="b")
        eventually(lambda: connections("client") == 2, "two clients")
        assert connections("upstream") >= 1
    eventually(lambda: connections("client") == 0, "no client")


def test_counters_never_fall_and_reservations_are_seen_while_they_last(stage):
    finish = threading.Event()

    def slow(exchange):
        finish.wait(60)
        exchange.answer()

    upstream = stage.upstream(slow)
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
        assert proxy.metrics().sum("onceproxy_reservations_active", policy="orders") == 1
        finish.set()
        client.read("POST")
    eventually(lambda: proxy.metrics().sum("onceproxy_reservations_active") == 0, "none is left")


def test_logging_level_and_health_can_be_changed_on_the_admin_port(proxy):
    assert fetch(proxy.admin, "/logging?level=debug", "POST")[0] == 200
    assert fetch(proxy.admin, "/logging?level=loud", "POST")[0] == 400
    assert fetch(proxy.admin, "/logging")[0] == 405
    assert fetch(proxy.admin, "/healthcheck/fail", "POST")[0] == 200
    assert fetch(proxy.telemetry, "/ready")[0] == 503
    assert fetch(proxy.admin, "/healthcheck/ok", "POST")[0] == 200
    assert fetch(proxy.telemetry, "/ready")[0] == 200


def test_quitquitquit_drains_and_exits(proxy):
    assert fetch(proxy.admin, "/quitquitquit", "POST")[0] == 200
    assert proxy.wait() == 0


DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"


def exported_by(proxy):
    """The names of the series on its telemetry port."""
    return set(re.findall(r"^(\w+)[{ ]", fetch(proxy.telemetry, "/metrics")[1], re.M))


def test_series_of_panels_and_alerts_exist_from_the_start(stage, upstream, directory,
                                                          database):
    """A rate over a series that begins with its first event misses that event."""
    certificate, key = Authority().issue().write(directory, "tls")
    secure = {"address": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}}
    proxy = stage.proxy(upstream, listen=["127.0.0.1:0", secure])
    shared = stage.proxy(upstream, store=database.store())
    listener = {"name": "billing", "address": upstream.address}
    delivers = stage.proxy(upstream, [policy(delivery={"listeners": [listener]})])
    dashboard = (DEPLOY / "grafana" / "onceproxy.json").read_text()
    rules = (DEPLOY / "prometheus" / "rules.yaml").read_text()
    used = set(re.findall(r"(?<![:\w])(?:onceproxy|process)_\w+", dashboard + rules))
    exported = exported_by(proxy) | exported_by(shared) | exported_by(delivers)
    assert len(used) > 40 and used <= exported, used - exported
    # With the values of the labels that alerts choose by.
    metrics = proxy.metrics()
    chosen = set(re.findall(r'decision=~?"([\w|-]+)"', rules))
    for decision in {word for words in chosen for word in words.split("|")}:
        for name in ("onceproxy_requests_total", "onceproxy_shadow_decisions_total"):
            assert metrics.values(name, policy="orders", decision=decision) == [0], (name, decision)
    for then in ("hold", "retry"):
        assert metrics.values("onceproxy_unknown_records", policy="orders", then=then) == [0]


def test_unknown_outcomes_are_counted_while_they_last(stage):
    upstream = stage.upstream(lambda exchange: exchange.connection.close())
    proxy = stage.proxy(upstream, [policy(outcome={"unknown": "hold"}, lease="1h"),
                                   policy(name="loose", match={"path": "/loose"}, lease="1h")])
    for key in ("a", "b"):
        once(proxy.data, request(key=key))
    once(proxy.data, request(target="/loose", key="c"))

    def counted():
        return [proxy.metrics().sum("onceproxy_unknown_records", policy=name, then=then)
                for name, then in (("orders", "hold"), ("orders", "retry"), ("loose", "hold"),
                                   ("loose", "retry"))]

    eventually(lambda: counted() == [2, 0, 0, 1], "all three are counted")
    eventually(lambda: proxy.metrics().sum("onceproxy_unknown_oldest_age_seconds", policy="orders",
                                           then="hold") > 0, "their age is told")
    for record in proxy.operator.get("/records?policy=orders")["items"]:
        assert proxy.operator.post(f"/records/{record['fingerprint']}/resolve")[0] == 200
    eventually(lambda: counted() == [0, 0, 0, 1], "what was resolved is counted no more")
    proxy.kill9()
    proxy.restart()
    eventually(lambda: counted() == [0, 0, 0, 1], "what is left is found after a restart")

"""Debian's Prometheus with three running instances, one of them on PostgreSQL. Every panel of the dashboard
shows data, and the indicators agree with what happened."""

import pathlib
import re
import shutil
import tempfile

import pytest

from harness import eventually
from harness.every_decision import POLICIES, ROUNDS, Traffic
from harness.monitoring import Prometheus
from harness.rules import DASHBOARD, RULES, alerts, panels, recorded

RESULTS = pathlib.Path(__file__).parents[2] / "build" / "test-results"
DECISIONS = {"passed", "forwarded", "accepted", "replayed", "suppressed", "in-flight", "acknowledged",
             "mismatch", "missing-key", "bad-key", "unreadable", "held", "stale", "closed",
             "rate-limited", "not-replayable", "busy", "store-error", "upstream-error", "bad-request"}


@pytest.fixture(scope="module")
def traffic(shared_stage, postgres):
    database = postgres.database().migrate(shared_stage.directory)
    made = Traffic(shared_stage, database)
    yield made
    made.go_on.set()


@pytest.fixture(scope="module")
def prometheus(traffic):
    """Prometheus, when it has seen the traffic from before its beginning to its end."""
    directory = tempfile.mkdtemp(prefix="onceproxy-prometheus-")
    made = Prometheus(directory, [each.telemetry for each in traffic.instances], RULES)

    def all_is_scraped():
        total = made.value("sum(onceproxy_requests_total)")
        return total == traffic.counted("onceproxy_requests_total")

    try:
        # A rate knows only what it saw rise: the counters are to be seen at zero first, and what
        # shows up with its first event, with that.
        eventually(lambda: made.value("sum(up)") == 3, "every instance is scraped")
        traffic.round(0)
        eventually(all_is_scraped, "the first round is scraped")
        traffic.overlap()
        for number in range(1, ROUNDS):
            traffic.round(number)
        traffic.fill()
        eventually(all_is_scraped, "everything is scraped")
        yield made
    finally:
        made.close()
        shutil.rmtree(directory, ignore_errors=True)


def concrete(expression):
    """An expression as Grafana sends it: three hours of all policies, the last of them for one."""
    for variable, value in {"$__rate_interval": "5m", "$__range": "3h", "$job": ".*",
                            "$namespace": ".*", "$instance": ".*"}.items():
        expression = expression.replace(variable, value)
    names = "|".join(each["name"] for each in POLICIES)
    expression = expression.replace('=~"$policy"', f'=~"{names}"')
    return expression.replace('="$policy"', '="rides"')


def test_rules_and_dashboard_name_only_metrics_that_there_are(prometheus):
    known = {each for each in prometheus.fetch("/api/v1/label/__name__/values")["data"]}
    texts = [each["expr"] for panel in panels() for each in panel["targets"]]
    texts += recorded().values()
    texts += (alert["expr"] for alert in alerts().values())
    used = set(re.findall(r"(?<![:\w])(?:onceproxy|process)_\w+", " ".join(texts)))
    assert used <= known


def test_the_dashboards_variables_find_something(prometheus):
    for each in DASHBOARD["templating"]["list"]:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", each.get("definition", ""))
        # There are namespaces in Kubernetes alone; elsewhere "All" matches what has none.
        if each["type"] == "datasource" or each["name"] == "namespace":
            continue
        assert match, each
        found = prometheus.fetch(f"/api/v1/label/{match[2]}/values",
                                 **{"match[]": concrete(match[1])})["data"]
        assert found, each["name"]


def test_the_traffic_made_every_decision(prometheus, traffic):
    assert traffic.decisions - {"forwarded;shadow=" + each for each in DECISIONS} == DECISIONS


def test_every_panel_shows_something(prometheus):
    lines, empty = [], []
    for panel in panels():
        for each in panel["targets"]:
            expression = concrete(each["expr"])
            found = [(labels, value) for labels, value in prometheus.query(expression)
                     if value == value]
            if not found:
                empty.append(f"{panel['title']}: {expression}")
            lines.append(f"{panel['title']}\n    {expression}")
            for labels, value in found:
                named = ", ".join(f"{k}={v}" for k, v in sorted(labels.items())
                                  if k not in ("__name__", "job"))
                lines.append(f"      {value:.6g}  {named}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "dashboard.txt").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    assert not empty, "without data:\n" + "\n".join(empty)


def test_every_rule_is_evaluated_without_an_error(prometheus):
    eventually(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()),
               "every rule is evaluated")
    assert len(prometheus.rules()) == len(recorded()) + len(alerts())
    for name in recorded():
        eventually(lambda: prometheus.query(name), f"{name} has a value")


def counts(prometheus, name):
    """What a recording rule says, with the counters themselves in place of their rates."""
    expression = re.sub(r"rate\(([^\[]+)\[5m\]\)", r"\1", recorded()[name])
    assert "rate" not in expression
    return {labels["policy"]: value for labels, value in prometheus.query(expression)}


def test_operations_due_are_counted_once_each(prometheus, traffic):
    due = counts(prometheus, "policy:onceproxy_due:rate5m")
    # a, lost, big; failed did not happen. Held, refused and repeated ones are not due.
    orders = ROUNDS * 3 + 1
    refused = traffic.full.metrics().decisions("store-error")
    filled = traffic.full.metrics().decisions("forwarded")
    shared = traffic.shared.metrics().decisions("forwarded")
    assert due["orders"] == orders + refused + filled + shared
    assert due["hasty"] == ROUNDS * 2
    assert due["jobs"] == ROUNDS + 1
    assert due["loose"] == ROUNDS
    assert due["off"] == 0


def test_operations_not_forwarded_exactly_once_are_counted(prometheus, traffic):
    bad = counts(prometheus, "policy:onceproxy_not_once:rate5m")
    assert bad["orders"] == ROUNDS + traffic.full.metrics().decisions("store-error")
    # Two attempts without an answer, the second of which was one too many besides.
    assert bad["hasty"] == ROUNDS * 3
    # The turn that did not come.
    assert bad["rides"] == 1
    # A duplicate that a watching policy let through.
    assert bad["watched"] == ROUNDS
    assert bad["loose"] == bad["off"] == bad["alerts"] == bad["decline"] == 0


def test_requests_forwarded_on_closed_entities_are_counted(prometheus):
    seen = counts(prometheus, "policy:onceproxy_on_closed:rate5m")
    forwarded = counts(prometheus, "policy:onceproxy_on_closed_forwarded:rate5m")
    # Refused; and the full instance let as many pass, and could not look.
    assert seen["rides"] == ROUNDS * 2 and forwarded["rides"] == ROUNDS
    assert seen["watched"] == forwarded["watched"] == ROUNDS
    assert seen.keys() == {"rides", "watched"}


def test_the_latency_added_is_what_requests_took_longer_than_the_upstream(prometheus, traffic):
    seen = traffic.proxy.metrics()
    for name in ("watched", "jobs", "loose"):
        took = sum(seen.sum("onceproxy_request_duration_seconds_sum", policy=name, decision=each)
                   for each in ("forwarded", "passed"))
        added = took - seen.sum("onceproxy_upstream_duration_seconds_sum", policy=name)
        assert seen.sum("onceproxy_latency_added_seconds_sum", policy=name) == pytest.approx(added)
        assert added > 0


def test_the_alert_that_fires_is_the_one_about_what_happened(prometheus):
    def states():
        return {rule["name"]: rule["state"] for rule in prometheus.rules()
                if rule["type"] == "alerting"}

    eventually(lambda: states()["OnceproxyUnprotected"] == "firing", "the alert fires")
    assert states()["OnceproxyDown"] == "inactive"
    assert states()["OnceproxyStoreUnhealthy"] == "inactive"
    assert states()["OnceproxyPermitsLost"] == "inactive"

"""Debian's Prometheus with three running instances, one of them on PostgreSQL. Every panel of the dashboard
shows data, every alert has a test case and a section in the runbook, and the indicators agree with what
happened."""

import json
import pathlib
import re
import shutil
import tempfile
import threading

import pytest
import yaml

from harness import Client, eventually, policy, request
from harness.certificates import Authority, client_context
from harness.client import once
from harness.monitoring import Prometheus, promtool

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"
TESTS = sorted((DEPLOY / "prometheus").glob("*_test.yaml"))
DASHBOARD = json.loads((DEPLOY / "grafana" / "onceproxy.json").read_text())

RESULTS = pathlib.Path(__file__).parents[2] / "build" / "test-results"

RIDE = {"type": "ride", "id": [{"path": "ride_id"}], "unless_closed": True}
DECISIONS = {"passed", "forwarded", "accepted", "replayed", "suppressed", "in-flight", "acknowledged",
             "mismatch", "missing-key", "bad-key", "unreadable", "held", "stale", "closed",
             "rate-limited", "not-replayable", "busy", "store-error", "upstream-error", "bad-request"}
ROUNDS = 6

STEPS = policy(name="rides", match={"path": "/rides/{ride_id}/{step}"},
               fingerprint=[{"path": "ride_id"}, {"body": "/sequence"}], on_store_error="forward",
               entity={**RIDE, "wait": "1ms", "sequence": {"body": "/sequence"}})
POLICIES = [
    policy(replay={"max_body": "1KiB"}, lease="60s"),
    STEPS,
    policy(name="decline", match={"path": "/decline/{ride_id}"}, fingerprint=[{"path": "ride_id"}],
           on_duplicate={"status": 200}, entity={**RIDE, "closes": "1h"}),
    policy(name="hasty", match={"path": "/hasty"}, lease="10ms"),
    policy(name="alerts", match={"path": "/alerts"},
           rate_limit={"limit": 1, "per": "1h", "by": [{"const": "all"}]}),
    policy(name="jobs", match={"path": "/jobs"}, in_flight={"action": "acknowledge"}),
    policy(name="loose", match={"path": "/loose"}, on_missing="pass"),
    policy(name="watched", match={"path": "/watched/{ride_id}"}, enforcement={"mode": "shadow"},
           entity={**RIDE, "type": "trip", "closes": "1h"}),
    policy(name="off", match={"path": "/off"}, enforcement={"mode": "off"}),
]


class Traffic:
    """Sends what makes every decision, and remembers what it was told."""

    def __init__(self, stage, database):
        self.go_on = threading.Event()
        self.upstream = stage.upstream(self.answer)
        authority = Authority()
        self.context = client_context(authority)
        certificate, key = authority.issue().write(stage.directory, "tls")
        secure = {"address": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}}
        billing = {"name": "billing", "address": self.upstream.address}
        events = policy(name="events", match={"path": "/events"},
                        delivery={"listeners": [billing]})
        self.proxy = stage.proxy(self.upstream, [*POLICIES, events], listen=["127.0.0.1:0", secure])
        self.secure = [line["address"] for line in self.proxy.stderr.json()
                       if line.get("listener") == "data"][1]
        # Too small for what it is given: new operations are refused, and rides go on unprotected.
        self.full = stage.proxy(self.upstream, [policy(), STEPS],
                                store={"rocksdb": {"max_bytes": "64KiB"}})
        # This instance exposes the metrics of the database too.
        self.shared = stage.proxy(self.upstream, [policy()], store=database.store())
        self.decisions = set()

    @property
    def instances(self):
        return [self.proxy, self.full, self.shared]

    def answer(self, exchange):
        key = exchange.request["idempotency-key"] or ""
        if key == "slow" or "/slow/" in exchange.request.target:
            self.go_on.wait()
        if key.startswith("lost"):
            exchange.connection.reset()
        else:
            exchange.answer(503 if key.startswith("failed") else 200,
                            b"x" * (5000 if key.startswith("big") else 1))

    def send(self, target="/orders", proxy=None, body=None, **more):
        """The decision that a request comes to."""
        data = request(target=target, body=body or {"n": 1}, **more)
        answer = once((proxy or self.proxy).data, data)
        decision = answer.decision or ("bad-request" if answer.status == 400 else "passed")
        self.decisions.add(decision)
        return decision

    def begin(self, **more):
        """A request that the upstream does not answer before it is told to."""
        count = len(self.upstream.requests)
        client = Client(self.proxy.data)
        client.send(request(**{"body": {"n": 1}, **more}))
        self.upstream.wait_for_requests(count + 1)
        return client

    def round(self, number):
        """What needs nobody to wait."""
        host, _, port = self.secure.rpartition(":")
        with Client((host, int(port)), context=self.context) as client:
            assert client.call("GET", "/uncovered").status == 200
        for key, body in (("a", {"n": 1}), ("a", {"n": 1}), ("a", {"n": 2}), (None, None),
                          ("a,b", None), ("lost", None), ("lost", None), ("big", None),
                          ("big", None), ("failed", None)):
            self.send(key=key and f"{key}-{number}", body=body)
        for target in ("/off", "/loose", "/alerts", "/jobs", "/events", f"/watched/{number}",
                       f"/watched/{number}"):
            self.send(target, key=f"b-{number}")
        for _ in range(2):
            self.send(proxy=self.shared, key=f"shared-{number}")
        self.send("/loose")
        self.send(f"/rides/{number}/step", body=b"{")
        self.send("/uncovered")
        self.send("/a%2Fb")
        for sequence in (2, 2, 1):
            self.send(f"/rides/{number}/step", body={"sequence": sequence})
        for _ in range(2):
            self.send(f"/decline/{number}")
        self.send(f"/rides/{number}/step", body={"sequence": 3})
        self.send(f"/watched/{number}", key=f"c-{number}")
        # Lost, and let through again once its lease is over.
        self.send("/hasty", key=f"lost-{number}")
        eventually(lambda: self.send("/hasty", key=f"lost-{number}") == "upstream-error",
                   "a lease that is over")

    def overlap(self):
        """Duplicates of what is under way, and a turn that does not come."""
        slow = [self.begin(key="slow"), self.begin(target="/jobs", key="slow"),
                self.begin(target="/rides/slow/a", body={"sequence": 1})]
        self.send(key="slow")
        self.send("/jobs", key="slow")
        self.send("/rides/slow/b", body={"sequence": 2})
        self.go_on.set()
        for client in slow:
            assert client.read("POST").decision == "forwarded"
            client.close()

    def fill(self):
        """Until the second store takes no more."""
        keys = iter(range(1_000_000))
        eventually(lambda: self.send(proxy=self.full, key=f"f-{next(keys)}") == "store-error",
                   "a store that is full")
        for number in range(ROUNDS):
            assert self.send(f"/rides/{number}/step", self.full, {"sequence": 1}) == "passed"

    def counted(self, name, **labels):
        """The sum that all instances show."""
        return sum(each.metrics().sum(name, **labels) for each in self.instances)


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


def recorded():
    """Name and expression of every recording rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]
            if "record" in rule}


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def concrete(expression):
    """An expression as Grafana sends it: three hours of all policies, the last of them for one."""
    for variable, value in {"$__rate_interval": "5m", "$__range": "3h", "$job": ".*",
                            "$namespace": ".*", "$instance": ".*"}.items():
        expression = expression.replace(variable, value)
    names = "|".join(each["name"] for each in POLICIES)
    expression = expression.replace('=~"$policy"', f'=~"{names}"')
    return expression.replace('="$policy"', '="rides"')


# Rules and runbook.


def test_the_rules_are_valid():
    promtool("check", "rules", RULES)


def test_every_alert_is_quiet_and_fires_when_it_should():
    promtool("test", "rules", *TESTS)


def test_every_alert_has_a_case_in_which_it_fires_and_two_in_which_it_does_not():
    quiet, firing = {}, set()
    cases = [case for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]
             for case in test["alert_rule_test"]]
    for case in cases:
        name = case["alertname"]
        if case["exp_alerts"]:
            firing.add(name)
        else:
            quiet[name] = quiet.get(name, 0) + 1
    assert firing == set(alerts())
    assert {name: count for name, count in quiet.items() if count >= 2}.keys() == firing


def test_every_alert_has_a_severity_a_summary_and_a_section_in_the_runbook():
    runbook = (DEPLOY / "README.md").read_text()
    sections = set(re.findall(r"^#+ (.+)$", runbook, re.M))
    for name, alert in alerts().items():
        assert alert["labels"]["severity"] in ("page", "ticket"), name
        assert alert["annotations"]["summary"], name
        assert alert["annotations"]["runbook_url"] == f"https://onceproxy.io/runbooks#{name.lower()}"
        assert name in sections, f"deploy/README.md says nothing of {name}"
    told = {section for section in sections if section.startswith("Onceproxy")}
    assert told == set(alerts()), "sections about alerts that there are not"


def test_rules_and_dashboard_name_only_metrics_that_there_are(prometheus):
    known = {each for each in prometheus.fetch("/api/v1/label/__name__/values")["data"]}
    texts = [each["expr"] for panel in panels() for each in panel["targets"]]
    texts += recorded().values()
    texts += (alert["expr"] for alert in alerts().values())
    used = set(re.findall(r"(?<![:\w])(?:onceproxy|process)_\w+", " ".join(texts)))
    assert used <= known


def test_what_is_of_a_policy_is_of_its_namespace_too():
    for name, expression in {**recorded(), **{k: v["expr"] for k, v in alerts().items()}}.items():
        for labels in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
            assert labels.startswith("job, namespace"), f"{name}: {labels}"


# The dashboard.


def test_the_dashboard_is_one_that_grafana_takes():
    assert DASHBOARD["schemaVersion"] >= 36 and DASHBOARD["uid"] and DASHBOARD["title"]
    assert DASHBOARD["id"] is None, "an id is another Grafana's"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels()]
    assert all(titles) and len(set(titles)) == len(titles)
    for panel in panels():
        assert panel["description"], panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] and defaults["thresholds"]["steps"][0]["value"] is None
        refs = [each["refId"] for each in panel["targets"]]
        assert refs and len(set(refs)) == len(refs), panel["title"]
        for thing in (panel, *panel["targets"]):
            assert thing["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for each in panel["targets"]:
            assert each["expr"] and each["legendFormat"]
            assert each["instant"] != each["range"]


def test_no_two_panels_overlap_and_none_leaves_the_grid():
    taken = {}
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["x"] + at["w"] <= 24, panel["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies on {other}"


def test_every_variable_is_declared_and_used():
    declared = {each["name"] for each in DASHBOARD["templating"]["list"]}
    text = json.dumps({**DASHBOARD, "templating": [
        each.get("definition", "") for each in DASHBOARD["templating"]["list"]]})
    used = {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}
    assert used == declared
    repeated = [panel["repeat"] for panel in DASHBOARD["panels"] if "repeat" in panel]
    assert repeated == ["policy"]


def test_every_series_of_the_dashboard_is_chosen_by_namespace():
    for panel in panels():
        for each in panel["targets"]:
            for labels in re.findall(r"(?:onceproxy|process)_\w+\{([^}]*)\}", each["expr"]):
                assert 'job=~"$job", namespace=~"$namespace"' in labels, panel["title"]


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


# What they show of live instances.


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

"""Every example configuration starts and does what its comment says."""

import json
import pathlib
import threading

import jsonschema
import pytest
import yaml

from harness import Client, Onceproxy, crowd, request
from harness.process import run

EXAMPLES = pathlib.Path(__file__).parents[2] / "config" / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


@pytest.fixture
def example(stage, directory, request):  # pytest's request, not HTTP's
    """Starts an example in front of an upstream; gives a way to send and the upstream."""

    def start(name, **more):
        upstream = stage.upstream(key=lambda request: request.target)
        variables = {
            "ONCEPROXY_LISTEN": "127.0.0.1:0",
            "ONCEPROXY_UPSTREAM": upstream.address,
            "ONCEPROXY_DATA": str(directory / "data"),
            "ONCEPROXY_ADMIN": "127.0.0.1:0",
            "ONCEPROXY_TELEMETRY": "127.0.0.1:0",
            **more,
        }
        if name == "postgres.yaml":
            database = request.getfixturevalue("database")
            variables["ONCEPROXY_DATABASE"] = database.url()
            variables["ONCEPROXY_DURABILITY"] = database.durability
        proxy = Onceproxy(EXAMPLES / name, directory, variables=variables)
        if name == "postgres.yaml":  # what the program may keep at rest
            proxy.settings = {"store": {"postgres": {"url": database.url()}}}
        stage.proxies.append(proxy)
        proxy.start()
        client = Client(proxy.data)

        def send(target, body=b"", method="POST", **kwargs):
            return client.call(method, target, body=body, **kwargs)

        return send, upstream

    return start


def test_there_are_examples():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_valid_and_agrees_with_the_schema(name):
    assert run("check", EXAMPLES / name).returncode == 0
    schema = json.loads(run("schema").stdout)
    validator = jsonschema.Draft202012Validator(schema)
    errors = validator.iter_errors(yaml.safe_load((EXAMPLES / name).read_text()))
    assert not [f"{error.json_path}: {error.message[:300]}" for error in errors]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_starts_and_passes_what_it_does_not_cover(example, name):
    send, upstream = example(name)
    assert [send("/else", method="GET").status for _ in range(2)] == [200, 200]
    assert upstream.executions["/else"] == 2


@pytest.mark.parametrize("name", ["minimal.yaml", "client-key.yaml", "postgres.yaml"])
def test_client_keys(example, name):
    send, upstream = example(name)
    caller = {"Authorization": "Bearer a"}
    order = {"item": 1}
    assert send("/pay", order, key="k", headers=caller).decision == "forwarded"
    again = send("/pay", order, key="k", headers=caller)
    assert (again.decision, again["idempotent-replayed"]) == ("replayed", "true")
    assert send("/pay", {"item": 2}, key="k", headers=caller).status == 422
    assert send("/other", order, key="k", headers=caller).status == 422
    assert send("/pay", order, key="k", headers={"Authorization": "Bearer b"}).decision == "forwarded"
    assert send("/pay", order, headers=caller).status == 400
    assert send("/pay", order, key="k").status == 400
    assert upstream.executions == {"/pay": 2}


def test_ride_dispatch(example):
    send, upstream = example("ride-dispatch.yaml")
    ride, body = "/v1/rides/r1/dispatch", {"driver_id": "d1", "sequence": 1}
    assert send(ride, body).decision == "forwarded"
    assert send(ride, body).decision == "replayed"
    assert send(ride, {**body, "note": "x"}).status == 422
    assert send(ride, {**body, "sequence": 2}).decision == "forwarded"
    assert send(ride, {**body, "driver_id": "d2"}).json == {"status": "ignored", "reason": "stale"}
    assert upstream.executions[ride] == 2

    over, said = "/v1/rides/r1/decline", {"declined_by": "rider"}
    assert [send(over, said).decision for _ in range(2)] == ["forwarded", "replayed"]
    assert send(over, {"declined_by": "driver"}).decision == "closed"
    assert send(ride, {**body, "sequence": 3}).json == {"status": "ignored", "reason": "closed"}
    assert send("/v1/rides/r2/dispatch", body).decision == "forwarded"

    place = {"sequence": 1, "latitude": 52.5200001, "longitude": 13.405}
    there = "/v1/drivers/d1/location"
    assert send(there, place).decision == "forwarded"
    again = send(there, {**place, "latitude": 52.52000012, "battery": 3})
    assert (again.status, again.decision, again.body) == (204, "suppressed", b"")
    assert send(there, {**place, "sequence": 3, "latitude": 52.52001}).decision == "forwarded"
    late = send(there, {**place, "sequence": 2})
    assert (late.status, late.decision, late.body) == (204, "stale", b"")
    assert [send(there, {"latitude": 1}).decision for _ in range(2)] == ["passed", "passed"]

    push = {"recipient_id": 7, "ride_id": "r1", "kind": "Arrived"}
    assert send("/v1/notifications/push", push).decision == "forwarded"
    again = send("/v1/notifications/push", {**push, "kind": " ARRIVED ", "text": "other"})
    assert again.json == {"status": "suppressed", "reason": "duplicate"}
    assert upstream.executions["/v1/notifications/push"] == 1


def test_alert_receiver(example):
    send, upstream = example("alert-receiver.yaml")
    alert = {"name": "DiskFull", "service": "db", "starts_at": "2026-01-01T00:00:00Z",
             "status": "firing", "severity": "page"}
    assert send("/alerts", alert).decision == "forwarded"
    again = send("/alerts", {**alert, "service": "DB ", "severity": "Page", "labels": [1]})
    assert (again.status, again.json) == (200, {"status": "ok", "deduplicated": True})
    assert send("/alerts", {**alert, "status": "resolved"}).decision == "forwarded"
    assert send("/alerts", {**alert, "severity": "critical"}).decision == "forwarded"
    assert send("/alerts", {"text": "hello"}).decision == "passed"
    assert upstream.executions["/alerts"] == 4


def test_an_alert_that_fires_again_after_its_resolution_is_news(example):
    send, upstream = example("alert-receiver.yaml")
    alert = {"fingerprint": "f1", "service": "db", "severity": "critical"}
    decisions = [send("/alerts", {**alert, "status": status}).decision
                 for status in ("firing", "Firing", "resolved", "resolved", "firing", "resolved")]
    assert decisions == ["forwarded", "suppressed"] * 2 + ["forwarded"] * 2
    assert upstream.executions["/alerts"] == 4


def test_alerts_of_one_service_are_limited_by_their_severity(example):
    send, upstream = example("alert-receiver.yaml")

    def alert(number, severity):
        return send("/alerts", {"name": f"n{number}", "service": "db", "severity": severity})

    for severity, limit in (("warning", 20), ("critical", 60), ("info", 5)):
        decisions = [alert(number, severity).decision for number in range(limit + 1)]
        assert decisions == ["forwarded"] * limit + ["rate-limited"]
    assert alert(0, "warning").decision == "suppressed"


def test_notification_dispatch(example):
    send, upstream = example("notification-dispatch.yaml")
    there = "/v1/notifications"

    def notify(subject, recipient=7, **more):
        return send(there, {"recipient_id": recipient, "template": "delayed",
                            "subject_id": subject, **more})

    assert notify(0, text="soon").decision == "forwarded"
    again = notify(0, text="later", channel="Push")
    assert again.json == {"status": "suppressed", "reason": "duplicate"}
    assert [notify(number).decision for number in range(1, 10)] == ["forwarded"] * 9
    dropped = notify(10)
    assert (dropped.status, dropped.json) == (200, {"status": "dropped", "reason": "too many"})
    assert notify(10, recipient=8).decision == "forwarded"
    urgent = [notify(number, priority="Urgent") for number in range(100, 131)]
    assert [answer.decision for answer in urgent] == ["forwarded"] * 30 + ["rate-limited"]
    assert urgent[-1].status == 429
    assert send(there, {"recipient_id": 7}).status == 400
    assert upstream.executions[there] == 41


def test_single_file_dispatch(stage, example):
    send, upstream = example("single-file-dispatch.yaml")
    inside, overlaps = threading.Semaphore(1), []

    def handler(exchange):
        alone = inside.acquire(blocking=False)
        if not alone:
            overlaps.append(exchange.request.target)
        exchange.connection.over.wait(0.005)  # what it takes, so that others would be seen
        if alone:
            inside.release()  # before the answer, which lets the next one in
        exchange.answer(200, {"execution": exchange.execution})

    upstream.handler = handler
    proxy = stage.proxies[0]
    jobs = [request(target="/dispatch", body={"job_id": number % 10}) for number in range(40)]
    reads = [request("GET", "/jobs")] * 20
    answers = crowd(proxy.data, jobs + reads)
    assert [answer.status for answer in answers] == [200] * 60
    assert not overlaps
    assert upstream.executions == {"/dispatch": 10, "/jobs": 20}
    assert send("/dispatch", {"job_id": 1, "note": "x"}).status == 422
    assert send("/dispatch", {}).status == 400


def test_broker_push(example):
    send, upstream = example("broker-push.yaml")
    message = {"subscription": "s", "message": {"messageId": "1", "data": "eA=="}}
    assert send("/push/invoices", message).decision == "forwarded"
    again = send("/push/invoices", {**message, "deliveryAttempt": 2})
    assert (again.status, again.decision) == (204, "suppressed")
    nameless = send("/push/invoices", {"subscription": "s", "message": {}})
    assert (nameless.status, nameless.decision) == (204, "missing-key")
    assert upstream.executions == {"/push/invoices": 1}


def test_dispatch_fan_out(example, listeners):
    """Every listener hears of the ride but the one that fails; nothing is sent after a decline."""
    names = ("matching", "billing", "analytics", "compliance")
    crew = {name: listeners.add(name, "error" if name == "matching" else "ok") for name in names}
    send, upstream = example("dispatch-fan-out.yaml",
                             **{name.upper(): each.address for name, each in crew.items()})
    ride = {"driver_id": "d1", "sequence": 1}
    first = send("/v1/rides/r1/dispatch", ride)
    assert (first.status, first.decision) == (202, "accepted")
    again = send("/v1/rides/r1/dispatch", ride)
    assert (again.decision, again.body) == ("replayed", first.body)
    for name in names[1:]:
        crew[name].wait_for(1)
        assert len(crew[name].all()) == 1
    assert crew["compliance"].all()[0].request["x-source"] == "onceproxy"
    assert send("/v1/rides/r1/dispatch", {**ride, "sequence": 0}).decision == "stale"
    assert send("/v1/rides/r1/decline", {"reason": "rider"}).decision == "forwarded"
    assert send("/v1/rides/r1/dispatch", {**ride, "sequence": 2}).decision == "closed"
    invoice = send("/v1/invoices", {"amount": 1}, key="k", headers={"Authorization": "Bearer s"})
    assert invoice.decision == "accepted"
    upstream.wait_for_requests(2)
    assert set(upstream.executions) == {"/v1/rides/r1/decline", "/v1/invoices"}


MUTATION = "mutation Buy($item: ID!) { buy(item: $item) { id } }"
DOCUMENTS = {
    "first": MUTATION,
    "fragment first": "fragment F on Order { id }\n# one order\n" + MUTATION,
    "behind a query": "query Q { a { b } } , mutation { buy { id } }",
    "commented": "# buys\n\ufeff mutation{ buy { id } }",
}
QUERIES = ["query Q { order { id } }", "{ mutation { id } }", "query mutation { a }",
           "# mutation\nquery { mutations }", 'query { find(text: "mutation M { a }") { id } }']


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_graphql_mutations_are_covered_wherever_they_stand(example, document):
    send, upstream = example("graphql.yaml")
    call = {"query": document, "variables": {"item": "tea"}}
    assert [send("/graphql", call, key="k").decision for _ in range(2)] == ["forwarded", "replayed"]
    assert send("/graphql", {**call, "variables": {"item": "milk"}}, key="k").status == 422
    assert send("/graphql", call).status == 400
    assert upstream.executions["/graphql"] == 1


def test_graphql_persisted_mutations_and_batches_are_covered(example):
    send, upstream = example("graphql.yaml")
    named = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ab"}},
             "variables": {"item": "tea"}}
    assert [send("/graphql", named, key="k").decision for _ in range(2)] == ["forwarded", "replayed"]
    whole = {**named, "query": MUTATION}
    assert send("/graphql", whole, key="k").decision == "replayed", "the same operation, in full"
    batch = [{"query": "{ a }"}, {"query": MUTATION}]
    assert [send("/graphql", batch, key="b").decision for _ in range(2)] == ["forwarded", "replayed"]
    assert send("/graphql", batch[::-1], key="b").status == 422
    assert [send("/graphql", body).decision for body in (named, batch)] == ["passed"] * 2
    assert upstream.executions["/graphql"] == 4


@pytest.mark.parametrize("document", QUERIES)
def test_graphql_queries_pass(example, document):
    send, upstream = example("graphql.yaml")
    answers = [send("/graphql", {"query": document}, key="k") for _ in range(2)]
    assert [answer["onceproxy-decision"] for answer in answers] == [None, None]
    assert upstream.executions["/graphql"] == 2


def test_graphql_errors_without_data_free_the_key(example):
    send, upstream = example("graphql.yaml")
    refused = {"errors": [{"message": "PersistedQueryNotFound"}]}
    partial = {"errors": [{"message": "no stock"}], "data": None}
    answers = [refused, partial]
    upstream.handler = lambda exchange: exchange.answer(200, answers[exchange.execution - 1])
    call = {"query": MUTATION}
    got = [send("/graphql", call, key="k") for _ in range(3)]
    assert [answer.decision for answer in got] == ["forwarded", "forwarded", "replayed"]
    assert [answer.json for answer in got] == [refused, partial, partial]


def test_json_rpc(example):
    send, upstream = example("json-rpc.yaml")
    errors = [-32601, -32602, None, -32603, 17]

    def answer(exchange):
        code = errors[exchange.execution - 1]
        exchange.answer(200, {"error": {"code": code}} if code else {"result": "done"})

    upstream.handler = answer

    def call(number, method="order.create", order="o1", **params):
        return send("/rpc", {"jsonrpc": "2.0", "id": number, "method": method,
                             "params": {"order_id": order, **params}})

    decisions = [call(number).decision for number in range(4)]
    assert decisions == ["forwarded"] * 3 + ["replayed"]
    assert call(5, item="tea").status == 422
    assert [call(6, order="o2").decision for _ in range(2)] == ["forwarded", "held"]
    assert [call(7, order="o3").decision for _ in range(2)] == ["forwarded", "replayed"]
    assert send("/rpc", {"method": "order.create", "params": {}}).status == 400
    assert upstream.executions["/rpc"] == 5


def test_soap(example):
    send, upstream = example("soap.yaml")
    there = "/services/payments"

    def pay(attempt, message="uuid:m-1", amount="10.00", prefix="soap", header=True):
        named = f"<w:MessageID>{message}</w:MessageID>" if header else ""
        body = (f'<{prefix}:Envelope xmlns:{prefix}="urn:soap" xmlns:w="urn:wsa"><{prefix}:Header>{named}'
                f"<Created>2026-01-02T03:04:0{attempt}Z</Created></{prefix}:Header><{prefix}:Body><Pay>"
                f'<EndToEndId>e-{message}</EndToEndId><Amt Ccy="EUR">{amount}</Amt>'
                f"<IBAN>DE1</IBAN><IBAN>DE2</IBAN></Pay></{prefix}:Body></{prefix}:Envelope>")
        return send(there, body.encode(), headers={"Content-Type": "application/soap+xml",
                                                   "Authorization": "Basic a"})

    assert pay(1).decision == "forwarded"
    assert pay(2, prefix="S").decision == "replayed"
    assert pay(3, amount="11.00").decision == "mismatch"
    assert pay(4, "uuid:m-2").decision == "forwarded"
    assert pay(5, "m-3", header=False).decision == "forwarded"
    assert pay(6, "m-3", header=False).decision == "replayed"
    broken = send(there, b"<Envelope>", headers={"Authorization": "Basic a"})
    assert (broken.status, broken.decision) == (400, "unreadable")
    assert upstream.executions == {there: 3}

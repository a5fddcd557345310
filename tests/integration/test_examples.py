"""Every example configuration starts, and does what its comment says."""

import json
import pathlib

import jsonschema
import pytest
import yaml

from harness import Client, Onceproxy, request
from harness.process import run

EXAMPLES = pathlib.Path(__file__).parents[2] / "config" / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


@pytest.fixture
def example(stage, directory):
    """Starts an example in front of an upstream; gives a way to send and the upstream."""

    def start(name):
        upstream = stage.upstream(key=lambda request: request.target)
        variables = {
            "ONCEPROXY_LISTEN": "127.0.0.1:0",
            "ONCEPROXY_UPSTREAM": upstream.address,
            "ONCEPROXY_DATA": str(directory / "data"),
            "ONCEPROXY_ADMIN": "127.0.0.1:0",
            "ONCEPROXY_TELEMETRY": "127.0.0.1:0",
        }
        proxy = Onceproxy(EXAMPLES / name, directory, variables=variables)
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


@pytest.mark.parametrize("name", ["minimal.yaml", "client-key.yaml"])
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


def test_broker_push(example):
    send, upstream = example("broker-push.yaml")
    message = {"subscription": "s", "message": {"messageId": "1", "data": "eA=="}}
    assert send("/push/invoices", message).decision == "forwarded"
    again = send("/push/invoices", {**message, "deliveryAttempt": 2})
    assert (again.status, again.decision) == (204, "suppressed")
    nameless = send("/push/invoices", {"subscription": "s", "message": {}})
    assert (nameless.status, nameless.decision) == (204, "missing-key")
    assert upstream.executions == {"/push/invoices": 1}

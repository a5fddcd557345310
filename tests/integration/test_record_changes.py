"""What operators change in the records: they release, resolve and forget operations, and open entities."""

import json
import threading

from harness import Client, policy, request
from harness.client import once
from harness.records import breaking, fingerprint_of, order, records
from harness.upstream import executed


def test_an_unknown_outcome_is_released_and_the_next_one_is_forwarded(stage):
    upstream, broken = breaking(stage)
    proxy = stage.proxy(upstream, [policy(outcome={"unknown": "hold"}, lease="1h")])
    assert once(proxy.data, order("a")).status == 502
    assert once(proxy.data, order("a")).decision == "held"
    broken.clear()
    name = fingerprint_of(proxy, "a")
    assert proxy.operator.post(f"/records/{name}/release") == (200, {"status": "done"})
    assert once(proxy.data, order("a")).decision == "forwarded"
    status, body = proxy.operator.post(f"/records/{name}/release")
    assert (status, "completed" in body["error"] or "released" in body["error"]) == (409, True)


def test_an_unknown_outcome_is_resolved_and_nothing_is_forwarded_any_more(stage):
    upstream, broken = breaking(stage)
    proxy = stage.proxy(upstream, [policy(lease="10ms")])
    assert once(proxy.data, order("a")).status == 502
    broken.clear()
    name = fingerprint_of(proxy, "a")
    assert proxy.operator.post(f"/records/{name}/resolve") == (200, {"status": "done"})
    for restarts in (0, 1):
        answer = once(proxy.data, order("a"))
        assert (answer.status, answer.decision) == (409, "not-replayable")
        assert answer.json["type"] == "urn:onceproxy:problem:not-replayable"
        assert answer.json["title"] == "An operator resolved this operation as done"
        assert proxy.operator.get(f"/records/{name}")["not_kept"] == "resolved"
        if not restarts:
            proxy.kill9()
            proxy.restart()
    assert sum(upstream.executions.values()) == 1


def test_an_operation_is_resolved_with_an_answer_that_duplicates_get(stage, directory):
    upstream, broken = breaking(stage)
    proxy = stage.proxy(upstream, [policy(lease="10ms")])
    for size in (20, 20_000):  # a large one lies apart in the store
        key = f"k{size}"
        assert once(proxy.data, order(key)).status == 502
        name = fingerprint_of(proxy, key)
        answer = directory / "answer.json"
        content = json.dumps({"ride": "x" * size})
        answer.write_text(content)
        told = records(proxy, "resolve", name, "--status", "201", "--body", str(answer),
                       "--header", "Content-Type: application/json", "--header", "X-Ride: 7")
        assert (told.returncode, told.stdout) == (0, f"{name}: resolved\n"), told.stderr
        for _ in range(2):
            answered = once(proxy.data, order(key))
            assert (answered.status, answered.decision) == (201, "replayed")
            assert answered.body.decode() == content
            assert answered["content-type"] == "application/json" and answered["x-ride"] == "7"
            assert answered["date"] and answered["idempotent-replayed"] == "true"
            proxy.kill9()
            proxy.restart()
    broken.clear()
    assert sum(upstream.executions.values()) == 2
    # The answer is confidential: it is neither in the record nor in the audit log.
    assert "xxxx" not in json.dumps(proxy.operator.get("/audit?decision=operator"))
    assert "xxxx" not in json.dumps(proxy.operator.get("/records"))


def test_an_answer_that_could_not_be_sent_resolves_nothing(stage, directory):
    upstream, _ = breaking(stage)
    proxy = stage.proxy(upstream, [policy(lease="1h")])
    once(proxy.data, order("a"))
    name = fingerprint_of(proxy, "a")
    large = directory / "large"
    large.write_bytes(b"x" * (70 << 10))
    body = directory / "body"
    body.write_text("x")
    for arguments, why in (
            (["--status", "304"], "304"),
            (["--status", "204", "--body", str(body)], "204"),
            (["--body", str(body)], "--status"),
            (["--status", "200", "--body", str(large)], "64 KiB"),
            (["--status", "200", "--header", "Content-Length: 3"], "Content-Length"),
            (["--status", "200", "--header", "Onceproxy-Fence: 3"], "Onceproxy-Fence"),
            (["--status", "200", "--header", "X-A"], "name: value"),
            (["--status", "200", "--header", "X-A: b\r\nSet-Cookie: c"], "X-A")):
        told = records(proxy, "resolve", name, *arguments)
        assert told.returncode == 1 and why in told.stderr, (arguments, told.stderr)
    assert proxy.operator.get(f"/records/{name}")["state"] == "unknown"


def test_a_forgotten_operation_runs_again(proxy, upstream):
    assert once(proxy.data, order("a")).decision == "forwarded"
    name = fingerprint_of(proxy, "a")
    assert proxy.operator.call("DELETE", f"/records/{name}") == (200, {"status": "done"})
    assert proxy.operator.call("GET", f"/records/{name}")[0] == 404
    assert once(proxy.data, order("a")).decision == "forwarded"
    assert upstream.executions["a"] == 2


def test_a_release_frees_even_what_is_under_way_and_its_end_changes_nothing(stage):
    finish = threading.Event()

    def handler(exchange):
        if exchange.execution == 1:
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(handler)
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as stuck:
        stuck.send(order("a"))
        upstream.wait_for_requests(1)
        name = fingerprint_of(proxy, "a")
        record = proxy.operator.get(f"/records/{name}")
        assert (record["state"], record["held"]) == ("reserved", True)
        assert proxy.operator.call("DELETE", f"/records/{name}")[0] == 409
        assert proxy.operator.post(f"/records/{name}/release")[0] == 200
        assert once(proxy.data, order("a")).json == {"execution": 2}
        finish.set()
        # What is remembered is the other one, so nobody is told of this one.
        assert stuck.read("POST").problem == "store-unavailable"
    assert once(proxy.data, order("a")).json == {"execution": 2}
    assert proxy.metrics().sum("onceproxy_permits_refused_total", policy="orders") == 1


def test_reservations_of_a_dead_process_can_be_released(stage):
    upstream = stage.upstream(lambda exchange: exchange.connection.over.wait(60))
    proxy = stage.proxy(upstream, [policy(lease="1h")])
    with Client(proxy.data) as client:
        client.send(order("a"))
        upstream.wait_for_requests(1)
        proxy.kill9()
    upstream.handler = executed
    proxy.restart()
    assert once(proxy.data, order("a")).decision == "held"
    name = fingerprint_of(proxy, "a")
    assert proxy.operator.post(f"/records/{name}/release")[0] == 200
    assert once(proxy.data, order("a")).decision == "forwarded"


def test_a_closed_entity_is_opened(stage, upstream):
    ride = {"type": "ride", "id": [{"body": "/ride"}], "unless_closed": True}
    policies = [
        policy(name="dispatch", match={"path": "/dispatch"}, entity=ride),
        policy(name="decline", match={"path": "/decline"}, entity={**ride, "closes": "1h"}),
    ]
    proxy = stage.proxy(upstream, policies)

    def send(target, key):
        return once(proxy.data, request(target=target, key=key, body={"ride": "r/1"})).decision

    assert proxy.operator.call("GET", "/entities/ride/r%2F1")[0] == 404
    assert send("/decline", "a") == "forwarded"
    assert send("/dispatch", "b") == "closed"
    entity = proxy.operator.get("/entities/ride/r%2F1")
    assert (entity["type"], entity["id"], entity["closed"]) == ("ride", "r/1", True)
    assert proxy.operator.post("/entities/ride/r%2F1/open")[0] == 200
    assert proxy.operator.post("/entities/ride/r%2F1/open")[0] == 409
    assert send("/dispatch", "b") == "forwarded"


def test_changes_by_an_operator_are_logged(proxy):
    once(proxy.data, order("a"))
    name = fingerprint_of(proxy, "a")
    proxy.operator.call("DELETE", f"/records/{name}")
    line = proxy.stderr.wait_for(lambda line: line.get("of") == name, "the operator's change")
    assert (line["change"], line["result"]) == ("forget", "done")


def test_a_get_changes_nothing(proxy):
    once(proxy.data, order("a"))
    name = fingerprint_of(proxy, "a")
    for action in ("release", "resolve"):
        assert proxy.operator.call("GET", f"/records/{name}/{action}")[0] == 405
    assert proxy.operator.get(f"/records/{name}")["state"] == "completed"

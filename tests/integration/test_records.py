"""What an operator sees of the store and changes in it, over the admin port and on the command
line."""

import http.client
import json
import threading

import pytest

from harness import Client, StartFailed, crowd, policy, request
from harness.admin import Admin
from harness.client import once
from harness.process import run
from harness.upstream import executed, executed_after


def records(proxy, action, *arguments):
    """`onceproxy records` against the proxy's admin port."""
    host, port = proxy.admin
    return run("records", action, "--admin", f"{host}:{port}", *arguments)


def fingerprint_of(proxy, key):
    """Of a request that was let through with that key."""
    for record in proxy.operator.get("/records?limit=1000")["items"]:
        if record["request_id"] == key:
            return record["fingerprint"]
    raise AssertionError(f"no record of {key}")


def order(key, body=b""):
    return request(key=key, body=body, headers={"x-request-id": key})


def breaking(stage):
    """An upstream that breaks off while `broken` is set: the outcome is unknown."""
    broken = threading.Event()
    broken.set()

    def handler(exchange):
        if broken.is_set():
            exchange.connection.close()
        else:
            executed(exchange)

    return stage.upstream(handler), broken


def test_a_record_shows_what_became_of_a_request_and_never_its_answer(stage):
    upstream = stage.upstream(lambda exchange: exchange.answer(201, b"the secret answer"))
    proxy = stage.proxy(upstream)
    for _ in range(4):
        once(proxy.data, order("a"))
    record = proxy.operator.get("/records/" + fingerprint_of(proxy, "a"))
    assert record["policy"] == "orders"
    assert record["state"] == "completed"
    assert record["status"] == 201
    assert record["attempts"] == 1
    assert record["duplicates"] == 3
    assert record["created"] <= record["last_duplicate"] < record["expires"]
    assert "secret" not in json.dumps(record)


def test_ten_thousand_records_are_listed_page_by_page_under_traffic(stage, upstream):
    proxy = stage.proxy(upstream, store={"rocksdb": {"sync": "none"}})
    count = 2_000
    with Client(proxy.data) as client:
        client.send(b"".join(request(key=f"k{n}") for n in range(count)))
        for _ in range(count):
            assert client.read("POST").decision == "forwarded"
        seen, cursor = set(), ""
        while True:
            page = proxy.operator.get(f"/records?limit=150{cursor}")
            names = [record["fingerprint"] for record in page["items"]]
            assert names == sorted(names) and not seen & set(names)
            seen |= set(names)
            # Requests go on meanwhile.
            assert client.call(key=f"more-{len(seen)}").decision == "forwarded"
            if "next" not in page:
                break
            cursor = "&cursor=" + page["next"]
    assert len(seen) >= count


def test_records_are_found_by_policy_and_state(stage):
    upstream, broken = breaking(stage)
    proxy = stage.proxy(upstream, [policy(), policy(name="other", match={"path": "/other"})])
    once(proxy.data, order("unknown"))
    broken.clear()
    once(proxy.data, order("done"))
    once(proxy.data, request(target="/other", key="elsewhere"))
    unknown = proxy.operator.get("/records?state=unknown")["items"]
    assert [record["request_id"] for record in unknown] == ["unknown"]
    assert unknown[0]["error"]
    assert len(proxy.operator.get("/records?policy=orders&state=completed")["items"]) == 1
    assert len(proxy.operator.get("/records?policy=other")["items"]) == 1
    assert proxy.operator.get("/records?policy=nobody") == {"items": []}


@pytest.mark.parametrize("query", ["limit=0", "state=done", "cursor=zz", "page=1"])
def test_a_bad_argument_is_400_and_names_it(proxy, query):
    status, body = proxy.operator.call("GET", "/records?" + query)
    assert status == 400
    assert body["error"].startswith(query.split("=")[0])


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
    answer = once(proxy.data, order("a"))
    assert (answer.status, answer.decision) == (409, "not-replayable")
    proxy.kill9()
    proxy.restart()
    assert once(proxy.data, order("a")).decision == "not-replayable"
    assert sum(upstream.executions.values()) == 1


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
        # Who sent it has its answer; what is remembered is the other one.
        assert stuck.read("POST").json == {"execution": 1}
    assert once(proxy.data, order("a")).json == {"execution": 2}
    assert proxy.metrics().sum("onceproxy_permits_refused_total", policy="orders") == 1


def test_what_a_dead_process_left_reserved_can_be_released(stage):
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


def test_the_command_line_lists_shows_rehearses_and_changes(stage):
    upstream, broken = breaking(stage)
    proxy = stage.proxy(upstream, [policy(lease="1h")])
    once(proxy.data, order("lost"))
    broken.clear()
    crowd(proxy.data, [order(f"done-{n}") for n in range(5)])
    table = records(proxy, "list")
    assert table.returncode == 0, table.stderr
    title, *rows = table.stdout.splitlines()
    assert title.split()[:3] == ["FINGERPRINT", "STATE", "POLICY"]
    assert len(rows) == 6
    assert len(records(proxy, "list", "--limit", "2").stdout.splitlines()) == 3
    lines = records(proxy, "list", "--state", "unknown", "--format", "json").stdout.splitlines()
    (lost,) = [json.loads(line) for line in lines]
    name = lost["fingerprint"]
    assert "unknown" in records(proxy, "show", name).stdout

    rehearsal = records(proxy, "release", name, "--dry-run")
    assert rehearsal.returncode == 0 and "Nothing was changed" in rehearsal.stderr
    assert once(proxy.data, order("lost")).decision == "held"
    assert records(proxy, "resolve", name).stdout == f"{name}: resolved\n"
    assert once(proxy.data, order("lost")).decision == "not-replayable"
    refused = records(proxy, "release", name)
    assert refused.returncode == 1 and "released" in refused.stderr
    assert records(proxy, "forget", name).returncode == 0
    assert records(proxy, "show", name).returncode == 1
    assert once(proxy.data, order("lost")).decision == "forwarded"


def test_without_an_admin_port_the_command_line_says_so():
    result = run("records", "list", "--admin", "unix:/nowhere/onceproxy")
    assert result.returncode == 2
    assert "cannot connect" in result.stderr


def test_an_admin_port_with_a_token_answers_only_who_brings_it(stage, upstream, directory):
    token = directory / "token"
    token.write_text("first\n")
    proxy = stage.proxy(upstream, admin={"listen": "0.0.0.0:0", "token_file": str(token)})
    address = ("127.0.0.1", proxy.admin[1])
    assert Admin(address).call("GET", "/records")[0] == 401
    assert Admin(address, "other").call("POST", "/quitquitquit")[0] == 401
    assert Admin(address, "first").get("/records") == {"items": []}
    told = run("records", "list", "--admin", f"127.0.0.1:{address[1]}", "--token-file", token)
    assert (told.returncode, told.stdout) == (0, "No records.\n")
    token.write_text("second\n")
    assert Admin(address, "first").call("GET", "/records")[0] == 401
    assert Admin(address, "second").get("/records") == {"items": []}


def by_host(address, host, method="GET", target="/records"):
    """The status of a request to the admin port that calls it `host`."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request(method, target, headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def test_without_a_token_the_admin_port_answers_only_to_names_it_knows(stage, upstream):
    """A page whose name was made to resolve to this machine reads nothing."""
    proxy = stage.proxy(upstream, admin={"listen": "127.0.0.1:0", "hosts": ["ops.example"]})
    for host in ("attacker.example", "attacker.example:9901", "localhost.attacker.example", "10.0.0.1"):
        assert by_host(proxy.admin, host) == 421
        assert by_host(proxy.admin, host, "POST", "/healthcheck/fail") == 421
    assert proxy.operator.call("GET", "/ready")[0] == 200
    for host in ("localhost", "127.0.0.1:1", "[::1]:9901", "ops.example", "OPS.example:80"):
        assert by_host(proxy.admin, host) == 200
    assert by_host(proxy.admin, "ops.example", target="/stats/prometheus") == 200
    assert by_host(proxy.telemetry, "attacker.example", target="/metrics") == 200


def test_with_a_token_the_name_does_not_matter(stage, upstream, directory):
    token = directory / "token"
    token.write_text("first")
    proxy = stage.proxy(upstream, admin={"listen": "127.0.0.1:0", "token_file": str(token)})
    assert by_host(proxy.admin, "attacker.example") == 401


def test_a_token_that_is_not_there_stops_the_start(stage, upstream, directory):
    proxy = stage.proxy(upstream, start=False, admin={"listen": "127.0.0.1:0",
                                                      "token_file": str(directory / "none")})
    with pytest.raises(StartFailed) as failed:
        proxy.start()
    assert failed.value.code == 3
    assert f"admin.token_file {directory / 'none'}" in failed.value.output

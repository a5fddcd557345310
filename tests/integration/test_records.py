"""What operators see of the records and change in them, through the admin port and on the command line."""

import http.client
import json
import threading

import pytest

from harness import Client, StartFailed, crowd, eventually, policy, request
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


def test_answers_that_were_not_stored_are_marked(stage):
    def answer(exchange):
        if exchange.request["x-request-id"] == "stream":
            exchange.answer(200, b"data: 1\n\n", {"content-type": "text/event-stream"})
        else:
            exchange.answer(200, b"x" * 5_000)

    proxy = stage.proxy(stage.upstream(answer), [policy(replay={"max_body": "1KiB"})])
    for key, title, why in (("large", "The answer was too large to keep", "too-large"),
                            ("stream", "The answer was not kept", "stream")):
        assert once(proxy.data, order(key)).status == 200
        answered = once(proxy.data, order(key))
        assert (answered.status, answered.decision) == (409, "not-replayable")
        assert answered.json["title"] == title
        assert proxy.operator.get("/records/" + fingerprint_of(proxy, key))["not_kept"] == why


RIDES = policy(name="rides", match={"path": "/v1/rides/{ride_id}/dispatch"},
               fingerprint=[{"path": "ride_id"}, {"client_key": "Idempotency-Key"}],
               entity={"type": "ride", "id": [{"path": "ride_id"}]})


def ride(number, key, **more):
    return request(target=f"/v1/rides/{number}/dispatch?token=secret", key=key,
                   headers={"x-request-id": key}, **more)


def test_records_tell_what_they_are_about_and_are_found_by_it(stage, upstream):
    proxy = stage.proxy(upstream, [RIDES, policy()])
    for number in (42, 43):
        once(proxy.data, ride(number, f"r{number}"))
    once(proxy.data, order("a"))
    (record,) = proxy.operator.get("/records?entity=ride/42")["items"]
    assert record["path"] == "/v1/rides/42/dispatch" and record["entity"] == "ride/42"
    assert "secret" not in json.dumps(proxy.operator.get("/records"))
    assert len(proxy.operator.get("/records?path=/v1/rides/*")["items"]) == 2
    assert len(proxy.operator.get("/records?path=/v1/rides/43/dispatch")["items"]) == 1
    table = records(proxy, "list", "--entity", "ride/43").stdout.splitlines()
    assert len(table) == 2 and "ride/43" in table[1] and "/v1/rides/43/dispatch" in table[1]
    proxy.kill9()
    proxy.restart()
    assert len(records(proxy, "list", "--path", "/v1/*").stdout.splitlines()) == 3


def test_stuck_operations_are_found_by_their_age(stage):
    go_on = threading.Event()
    upstream = stage.upstream(lambda exchange: (go_on.wait(60), executed(exchange)))
    proxy = stage.proxy(upstream, [RIDES])
    with Client(proxy.data) as stuck:
        stuck.send(ride(42, "stuck"))
        upstream.wait_for_requests(1)
        stuck_for = records(proxy, "list", "--older-than", "1ms", "--state", "reserved")
        assert len(stuck_for.stdout.splitlines()) == 2, stuck_for.stderr
        later = records(proxy, "list", "--older-than", "5m", "--state", "reserved")
        assert (later.returncode, later.stdout) == (0, "No records.\n")
        go_on.set()
        stuck.read("POST")
    assert records(proxy, "list", "--older-than", "soon").returncode == 1


def test_a_record_is_shown_by_the_request_that_it_is_of(stage, upstream, directory):
    proxy = stage.proxy(upstream, [RIDES])
    once(proxy.data, ride(42, "r1", body={"driver": 7}))
    message = directory / "request.txt"
    message.write_bytes(ride(42, "r1", body={"driver": 7}))
    config = str(proxy.config)
    shown = records(proxy, "show", "--request", str(message), "-c", config)
    assert shown.returncode == 0, shown.stderr
    assert "r1" in shown.stdout and "ride/42" in shown.stdout
    message.write_bytes(ride(43, "r1", body={"driver": 7}))
    assert records(proxy, "show", "--request", str(message), "-c", config).returncode == 1
    message.write_bytes(request(target="/uncovered"))
    uncovered = records(proxy, "show", "--request", str(message), "-c", config)
    assert uncovered.returncode == 1 and "no policy covers" in uncovered.stderr
    message.write_bytes(request(target="/v1/rides/42/dispatch", key=None))
    nameless = records(proxy, "show", "--request", str(message), "-c", config)
    assert nameless.returncode == 1 and "does not name its operation" in nameless.stderr
    assert records(proxy, "show").returncode == 1


def test_an_entity_is_shown_with_its_history(stage, upstream):
    proxy = stage.proxy(upstream, [RIDES, policy(name="decline", match={"path": "/decline/{ride_id}"},
                                                 entity={**RIDES["entity"], "closes": "1h",
                                                         "unless_closed": True})])
    once(proxy.data, ride(42, "first"))
    once(proxy.data, ride(42, "first"))
    once(proxy.data, ride(43, "other"))
    once(proxy.data, request(target="/decline/42", key="no", headers={"x-request-id": "no"}))
    host, port = proxy.admin
    where = ["--admin", f"{host}:{port}"]

    def shown():
        told = run("entities", "show", "ride", "42", *where)
        assert told.returncode == 0, told.stderr
        return told.stdout

    assert run("entities", "open", "ride", "42", *where).stdout == "ride/42: opened\n"
    text = eventually(lambda: "replayed" in shown() and "operator" in shown() and shown(),
                      "all of its history")
    facts, _, history = text.partition("\n\n")
    assert "type            ride" in facts and "id              42" in facts
    rows = [line.split()[2] for line in history.splitlines()[1:]]
    # The replay and the decline may be of one millisecond, in which a replay counts as the newer.
    assert rows[0] == "operator" and rows[-1] == "forwarded"
    assert sorted(rows[1:-1]) == ["forwarded", "replayed"]
    assert "other" not in text
    unknown = run("entities", "show", "ride", "44", *where)
    assert unknown.returncode == 0 and "nothing is known" in unknown.stderr


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


def test_the_records_of_a_policy_that_there_is_not_are_an_error(proxy):
    def listed(name):
        return records(proxy, "list", "--policy", name)

    assert listed("orders").returncode == 0, "no record yet is no error"
    wrong = listed("odrers")
    assert wrong.returncode == 1 and not wrong.stdout
    assert wrong.stderr == ('onceproxy: no policy is called "odrers", and it has no records; '
                            'did you mean "orders"?\n')


def test_an_admin_port_with_a_token_refuses_requests_without_it(stage, upstream, directory):
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

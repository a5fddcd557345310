"""The audit log: requests that were forwarded and their outcomes, refused requests, and actions of
operators."""

import json
import threading

from harness import Client, eventually, policy, request
from harness.client import once
from harness.process import run


def audit(proxy, **arguments):
    query = "&".join(f"{name}={value}" for name, value in arguments.items())
    return proxy.operator.get("/audit?" + query)["items"]


def outcomes(proxy, **arguments):
    """{request id: item} of what was forwarded."""
    return {item["request_id"]: item
            for item in audit(proxy, decision="forwarded", **arguments)}


def order(key):
    return request(key=key, headers={"x-request-id": key})


def test_it_says_what_was_forwarded_and_how_it_ended(stage):
    def answer(exchange):
        becomes = exchange.request["x-request-id"]
        if becomes == "lost":
            exchange.connection.close()
        else:
            exchange.answer(503 if becomes == "released" else 201, b"")

    proxy = stage.proxy(stage.upstream(answer))
    once(proxy.data, order("done"))
    once(proxy.data, order("released"))
    once(proxy.data, order("lost"))
    items = outcomes(proxy)
    assert items["done"]["outcome"] == "completed" and items["done"]["status"] == 201
    assert items["released"]["outcome"] == "released" and items["released"]["status"] == 503
    assert items["lost"]["outcome"] == "unknown" and items["lost"]["error"]
    for item in items.values():
        assert item["policy"] == "orders" and item["attempt"] == 1 and item["duration_ms"] >= 0
    assert set(outcomes(proxy, outcome="unknown,failed", since="1h")) == {"lost"}


def test_a_request_that_was_never_sent_is_failed(stage):
    proxy = stage.proxy(stage.upstream(listening=False))
    once(proxy.data, order("a"))
    item = outcomes(proxy)["a"]
    assert item["outcome"] == "failed" and item["error"] and "status" not in item


def test_requests_under_way_are_pending_and_unknown_after_the_process_died(stage):
    let_go = threading.Event()
    upstream = stage.upstream(lambda exchange: (let_go.wait(60), exchange.answer(200, b"")))
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as client:
        client.send(order("slow"))
        eventually(lambda: outcomes(proxy).get("slow"), "the request is under way")
        item = outcomes(proxy, outcome="pending")["slow"]
        assert item["age_ms"] >= 0 and "ended" not in item
        assert not outcomes(proxy, outcome="pending", until="5m")
        proxy.kill9()
    let_go.set()
    proxy.restart()
    item = outcomes(proxy)["slow"]
    assert item["outcome"] == "unknown" and "process ended" in item["error"]


def test_duplicates_are_logged_with_their_decision(stage, upstream):
    proxy = stage.proxy(upstream)
    for _ in range(3):
        once(proxy.data, order("a"))
    fingerprint = outcomes(proxy)["a"]["fingerprint"]
    eventually(lambda: len(audit(proxy, decision="replayed", fingerprint=fingerprint)) == 2,
               "both duplicates are in the log")
    items = audit(proxy, fingerprint=fingerprint)
    assert [item["decision"] for item in items] == ["replayed", "replayed", "forwarded"]
    assert not audit(proxy, decision="replayed", policy="another")


def test_pages_follow_each_other_to_the_end(stage, upstream):
    proxy = stage.proxy(upstream, store={"rocksdb": {"sync": "none"}})
    for n in range(25):
        once(proxy.data, order(f"k{n}"))
    seen, cursor = [], ""
    while True:
        page = proxy.operator.get(f"/audit?decision=forwarded&limit=7{cursor}")
        seen += [item["request_id"] for item in page["items"]]
        if "next" not in page:
            break
        cursor = "&cursor=" + page["next"]
    assert seen == [f"k{n}" for n in reversed(range(25))]


def test_answered_requests_are_in_the_log_after_a_kill(stage, upstream):
    proxy = stage.proxy(upstream)
    keys = [f"k{n}" for n in range(50)]
    for key in keys:
        once(proxy.data, order(key))
    proxy.kill9()
    proxy.restart()
    items = outcomes(proxy, limit=1000)
    assert set(items) == set(keys)
    assert {item["outcome"] for item in items.values()} == {"completed"}


def test_every_change_of_an_operator_is_written_down(stage, upstream):
    proxy = stage.proxy(upstream)
    assert proxy.operator.call("PATCH", "/policies/orders/enforcement", {"mode": "shadow"})[0] == 200
    assert proxy.operator.call("PATCH", "/policies/orders/enforcement", {"mode": "so"})[0] == 400
    eventually(lambda: len(audit(proxy, decision="operator")) == 2, "both are in the log")
    refused, done = audit(proxy, decision="operator")
    assert (refused["status"], done["status"]) == (400, 200)
    assert done["action"] == "PATCH" and done["target"] == "/policies/orders/enforcement"
    assert '"shadow"' in done["detail"] and done["from"].startswith("127.0.0.1:")


def test_a_policy_that_only_watches_says_what_it_would_have_done(stage, upstream):
    proxy = stage.proxy(upstream, policies=[policy(enforcement={"mode": "shadow"})])
    for _ in range(2):
        once(proxy.data, order("a"))
    eventually(lambda: len(audit(proxy, decision="forwarded")) == 2, "the duplicate is in the log")
    (item,) = [item for item in audit(proxy, decision="forwarded") if "shadow" in item]
    assert item["shadow"] == "replayed"


def test_bad_arguments_are_named(stage, upstream):
    proxy = stage.proxy(upstream)
    for argument in ("since=yesterday", "until=1x", "decision=maybe", "outcome=good", "outcome=",
                     "fingerprint=ab", "entity=ride", "path=rides", "limit=0", "limit=10001", "cursor=x", "page=2",
                     "since=2026-02-30T00:00:00Z", "since=2026-01-01T24:00:00Z"):
        status, body = proxy.operator.call("GET", "/audit?" + argument)
        assert status == 400 and body["error"].startswith(argument.split("=")[0] + ":"), argument
    for moment in ("90s", "7d", "0", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.6Z"):
        assert proxy.operator.call("GET", "/audit?since=" + moment)[0] == 200
    assert proxy.operator.call("POST", "/audit")[0] == 405


def test_it_can_be_switched_off(stage, upstream):
    proxy = stage.proxy(upstream, audit={"enabled": False})
    once(proxy.data, order("a"))
    assert proxy.operator.call("GET", "/audit")[0] == 404


def test_actions_on_a_record_are_found_by_its_fingerprint(stage, upstream):
    proxy = stage.proxy(upstream)
    once(proxy.data, order("a"))
    once(proxy.data, order("b"))
    for record in proxy.operator.get("/records")["items"]:
        name = record["fingerprint"]
        assert proxy.operator.call("DELETE", f"/records/{name}")[0] == 200
    items = eventually(lambda: len(found := audit(proxy, fingerprint=name)) == 2 and found,
                       "the forward and the change")
    assert sorted(item["decision"] for item in items) == ["forwarded", "operator"]


RIDES = policy(name="rides", match={"path": "/v1/rides/{ride_id}/dispatch"},
               fingerprint=[{"path": "ride_id"}, {"body": "/driver"}],
               entity={"type": "ride", "id": [{"path": "ride_id"}]})


def ride(number, key="k", body=None):
    return request(target=f"/v1/rides/{number}/dispatch?token=secret", body=body or {"driver": 7},
                   headers={"x-request-id": key})


def test_entries_tell_the_path_and_the_entity_and_are_found_by_them(stage, upstream):
    proxy = stage.proxy(upstream, [RIDES, policy()])
    once(proxy.data, ride(42))
    once(proxy.data, ride(42))
    once(proxy.data, ride(43))
    once(proxy.data, order("a"))
    items = eventually(lambda: len(found := audit(proxy, entity="ride/42")) == 2 and found,
                       "the duplicate is in the log")
    assert [item["decision"] for item in items] == ["replayed", "forwarded"]
    for item in items:
        assert item["path"] == "/v1/rides/42/dispatch" and item["entity"] == "ride/42"
    assert len(audit(proxy, path="/v1/rides/43/dispatch")) == 1
    assert len(audit(proxy, path="/v1/rides/*")) == 3
    assert not audit(proxy, entity="ride/4") and not audit(proxy, path="/v1/rides")
    assert "secret" not in str(proxy.operator.get("/audit"))
    proxy.kill9()
    proxy.restart()
    assert len(audit(proxy, entity="ride/42", decision="forwarded")) == 1


def test_a_refusal_says_which_field_is_missing_and_never_what_one_holds(stage, upstream):
    proxy = stage.proxy(upstream, [RIDES, policy()])
    once(proxy.data, ride(42, body={"other": "private"}))
    once(proxy.data, ride(42, body=b'{"driver": private'))
    once(proxy.data, request(key="a,private"))
    items = eventually(lambda: len(found := [item for item in audit(proxy) if "error" in item]) == 3
                       and found, "the refusals are in the log")
    told = {item["decision"]: item["error"] for item in items}
    assert "/driver" in told["missing-key"]
    assert "not valid JSON" in told["unreadable"]
    assert told["bad-key"]
    assert "private" not in str(items)


def test_actions_on_a_record_are_listed_under_its_policy_and_entity(stage, upstream):
    proxy = stage.proxy(upstream, [RIDES, policy()])
    once(proxy.data, ride(42))
    (record,) = proxy.operator.get("/records")["items"]
    assert proxy.operator.call("DELETE", "/records/" + record["fingerprint"])[0] == 200
    assert proxy.operator.call("PATCH", "/policies/orders/enforcement", {"mode": "shadow"})[0] == 200
    eventually(lambda: len(audit(proxy, decision="operator")) == 2, "both are in the log")
    for narrow in ({"policy": "rides"}, {"entity": "ride/42"}, {"path": "/v1/rides/*"}):
        (item,) = audit(proxy, decision="operator", **narrow)
        assert item["action"] == "DELETE" and record["fingerprint"] in item["target"]
        assert item["policy"] == "rides" and item["entity"] == "ride/42"
    (item,) = audit(proxy, policy="orders")
    assert item["action"] == "PATCH"


def test_the_newest_entry_comes_first_whichever_process_wrote_it(stage, upstream):
    """Refusals are noted by each worker and written later; forwards are written at once."""
    proxy = stage.proxy(upstream, workers=3, store={"rocksdb": {"sync": "none"}})
    clients = [Client(proxy.data) for _ in range(6)]
    for n in range(60):
        for number, client in enumerate(clients):
            client.send(order(f"{number}-{n // 3}"))
        for client in clients:
            client.read("POST")
    for client in clients:
        client.close()
    eventually(lambda: len(audit(proxy, decision="replayed", limit=1000)) == 240,
               "all duplicates are in the log")
    for size in (1000, 37):
        times, cursor = [], ""
        while True:
            page = proxy.operator.get(f"/audit?limit={size}{cursor}")
            times += [item["time"] for item in page["items"]]
            if "next" not in page:
                break
            cursor = "&cursor=" + page["next"]
        assert times == sorted(times, reverse=True)
        assert len(times) == 361


def command(proxy, *arguments):
    host, port = proxy.admin
    return run("audit", "--admin", f"{host}:{port}", *arguments)


def test_the_command_line_tells_what_happened(stage):
    def answer(exchange):
        exchange.answer(503 if "43" in exchange.request.target else 201, b"")

    proxy = stage.proxy(stage.upstream(answer), [RIDES])
    once(proxy.data, ride(42, "good"))
    once(proxy.data, ride(43, "bad"))
    table = command(proxy, "--entity", "ride/42")
    assert table.returncode == 0, table.stderr
    title, row = table.stdout.splitlines()
    assert title.split()[:4] == ["TIME", "DECISION", "OUTCOME", "POLICY"]
    assert row.split()[2:] == ["forwarded", "completed", "201", "rides", "ride/42",
                               "/v1/rides/42/dispatch", "good"]
    lines = command(proxy, "--outcome", "released", "--since", "1h", "--format", "json").stdout
    (item,) = [json.loads(line) for line in lines.splitlines()]
    assert item["request_id"] == "bad"
    assert len(command(proxy, "--limit", "1").stdout.splitlines()) == 2
    assert "There are more" in command(proxy, "--limit", "1").stderr
    assert command(proxy, "--path", "/none").stdout == "Nothing in the audit log.\n"
    refused = command(proxy, "--decision", "maybe")
    assert refused.returncode == 1 and "decision" in refused.stderr

"""What operators see of the records, through the admin port and on the command line."""

import json
import threading

import pytest

from harness import Client, crowd, eventually, policy, request
from harness.client import once
from harness.process import run
from harness.records import breaking, fingerprint_of, order, records
from harness.upstream import executed


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

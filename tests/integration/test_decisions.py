"""Each decision has the documented status, problem and header fields."""

import threading

import pytest

from harness import Client, eventually, policy, request
from harness.client import once
from harness.upstream import executed_after

ORDER = {"item": "tea", "count": 1}


def send(proxy, **kwargs):
    kwargs.setdefault("body", ORDER)
    return once(proxy.data, request(**kwargs))


def check_problem(answer, status, name, title, retry_after=None):
    assert answer.status == status
    assert answer.problem == name
    assert answer.json["title"] == title
    assert answer["retry-after"] == retry_after
    assert answer["idempotent-replayed"] is None


def test_the_first_request_is_forwarded_and_its_answer_comes_back_whole(stage):
    def created(exchange):
        exchange.answer(201, {"id": 7}, {"Location": "/orders/7", "X-Custom": "kept"}, "Made")

    upstream = stage.upstream(created)
    answer = send(stage.proxy(upstream), key="a")
    assert (answer.status, answer.reason, answer.decision) == (201, "Made", "forwarded")
    assert answer.json == {"id": 7}
    assert (answer["location"], answer["x-custom"]) == ("/orders/7", "kept")
    assert int(answer["x-envoy-upstream-service-time"]) >= 0
    assert answer["date"]
    assert answer["idempotent-replayed"] is None


def test_a_duplicate_gets_the_stored_answer_byte_for_byte(stage):
    def created(exchange):
        exchange.answer(201, {"id": exchange.execution}, [("X-Two", "1"), ("X-Two", "2")], "Made")

    upstream = stage.upstream(created)
    proxy = stage.proxy(upstream)
    first, second = send(proxy, key="a"), send(proxy, key="a")
    assert (second.status, second.decision) == (201, "replayed")
    assert second["idempotent-replayed"] == "true"
    assert second.body == first.body
    assert second["content-type"] == first["content-type"]
    assert second.all("x-two") == ["1", "2"]
    assert second["x-envoy-upstream-service-time"] is None
    assert upstream.executions["a"] == 1


def test_set_cookie_and_www_authenticate_are_not_replayed(stage):
    def cookie(exchange):
        exchange.answer(200, b"ok", {"Set-Cookie": "s=1", "WWW-Authenticate": "Basic", "X-K": "1"})

    proxy = stage.proxy(stage.upstream(cookie))
    first, second = send(proxy, key="a"), send(proxy, key="a")
    assert (first["set-cookie"], first["www-authenticate"]) == ("s=1", "Basic")
    assert (second["set-cookie"], second["www-authenticate"], second["x-k"]) == (None, None, "1")


def test_fields_for_the_first_client_only_are_not_replayed(stage):
    alone = {"Authentication-Info": "nextnonce=x", "Set-Cookie2": "s=1", "Clear-Site-Data": '"*"',
             "Proxy-Authentication-Info": "x", "Connection": "X-Named", "X-Named": "1"}
    proxy = stage.proxy(stage.upstream(lambda exchange: exchange.answer(200, b"ok", alone)))
    first, second = send(proxy, key="a"), send(proxy, key="a")
    assert (first["authentication-info"], first["clear-site-data"]) == ("nextnonce=x", '"*"')
    for name in alone:
        assert second[name] is None, name


def test_drop_headers_names_what_is_not_replayed(stage):
    upstream = stage.upstream(lambda exchange: exchange.answer(200, b"ok", {"X-Secret": "s"}))
    proxy = stage.proxy(upstream, [policy(replay={"drop_headers": ["X-Secret"]})])
    assert send(proxy, key="a")["x-secret"] == "s"
    assert send(proxy, key="a")["x-secret"] is None


def test_a_duplicate_under_way_is_refused_as_in_flight(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as first:
        first.send(request(key="a", body=ORDER))
        upstream.wait_for_requests(1)
        refused = send(proxy, key="a")
        mismatch = send(proxy, key="a", body={"other": 1})
        finish.set()
        assert first.read("POST").decision == "forwarded"
    check_problem(refused, 409, "in-flight", "A request is outstanding for this Idempotency-Key", "1")
    assert refused.decision == "in-flight"
    check_problem(mismatch, 422, "key-reused", "Idempotency-Key is already used")
    assert mismatch.decision == "mismatch", "checked before in-flight"


@pytest.mark.parametrize(
    "change",
    [{"body": {"item": "tea", "count": 2}}, {"target": "/orders?x=1"}, {"body": ""}],
    ids=["body", "target", "no body"],
)
def test_the_same_key_with_another_payload_is_a_mismatch(proxy, upstream, change):
    assert send(proxy, key="a").decision == "forwarded"
    refused = send(proxy, key="a", **change)
    check_problem(refused, 422, "key-reused", "Idempotency-Key is already used")
    assert refused.decision == "mismatch"
    assert b"tea" not in refused.body and b"execution" not in refused.body
    assert sum(upstream.executions.values()) == 1


def test_another_method_with_the_same_key_is_a_mismatch(stage, upstream):
    proxy = stage.proxy(upstream, [policy(match={"methods": ["POST", "PUT"]})])
    assert send(proxy, key="a").decision == "forwarded"
    assert send(proxy, key="a", method="PUT").decision == "mismatch"


def test_without_a_key_a_covered_request_is_refused(proxy, upstream):
    refused = send(proxy)
    check_problem(refused, 400, "missing-key", "Idempotency-Key is missing")
    assert refused.decision == "missing-key"
    assert "Idempotency-Key" in refused.json["detail"]
    assert upstream.bytes_received == 0


def test_a_missing_body_field_is_named_in_the_refusal(stage, upstream):
    fields = [{"body": "/driver/id"}, {"query": "trip"}]
    proxy = stage.proxy(upstream, [policy(fingerprint=fields)])
    refused = send(proxy, body={"driver": {}}, target="/orders?trip=1")
    check_problem(refused, 400, "missing-key", "A field that the operation needs is missing")
    assert "/driver/id" in refused.json["detail"]
    refused = send(proxy, body={"driver": {"id": 4}})
    assert "trip" in refused.json["detail"]
    assert upstream.bytes_received == 0


def test_titles_fit_what_the_policy_asks_for(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    fields = [{"form": "id"}]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    policies = [policy(fingerprint=fields, payload=[{"content": True}]),
                policy(name="keyed", match={"path": "/keyed"},
                       fingerprint=[{"client_key": "X-Request-Key"}])]
    proxy = stage.proxy(upstream, policies)
    with Client(proxy.data) as first:
        first.send(request(headers=form, body="id=1&item=tea"))
        upstream.wait_for_requests(1)
        again = send(proxy, headers=form, body="id=1&item=tea")
        check_problem(again, 409, "in-flight", "A request is outstanding for this operation", "1")
        other = send(proxy, headers=form, body="id=1&item=coffee")
        check_problem(other, 422, "key-reused", "This operation was sent with another payload")
        finish.set()
        assert first.read("POST").decision == "forwarded"
    missing = send(proxy, headers={"Content-Type": "text/plain"}, body="hello")
    check_problem(missing, 400, "missing-key", "A field that the operation needs is missing")
    assert "form: id (the body is not a form)" in missing.json["detail"]
    keyed = send(proxy, target="/keyed")
    check_problem(keyed, 400, "missing-key", "X-Request-Key is missing")
    keyed = send(proxy, target="/keyed", headers={"X-Request-Key": "a,b"})
    check_problem(keyed, 400, "bad-key", "X-Request-Key is malformed")


def test_the_log_and_the_audit_name_the_field_or_the_fault_and_never_its_value(stage, upstream):
    policies = [policy(fingerprint=[{"body": "/id"}, {"client_key": "Idempotency-Key"}]),
                policy(name="passing", match={"path": "/passing"}, on_missing="pass",
                       fingerprint=[{"header": "x-id"}])]
    proxy = stage.proxy(upstream, policies)
    assert send(proxy, key="a").decision == "missing-key"
    assert send(proxy, key="secret,secret", body={"id": 1}).decision == "bad-key"
    assert send(proxy, key="a", body="secret text").decision == "missing-key"
    assert send(proxy, target="/passing").decision == "passed"
    told = {"body: /id is missing",
            "Idempotency-Key: the key has a character it may not have",
            "body: /id (the body is not JSON: a JSON value is missing at byte 0) is missing",
            "header: x-id is missing"}
    lines = proxy.access_log(4)
    assert {line.get("error") for line in lines} == told
    assert "secret" not in str(lines)


def test_on_missing_pass_forwards_unprotected(stage, upstream):
    proxy = stage.proxy(upstream, [policy(on_missing="pass")])
    assert [send(proxy).decision for _ in range(2)] == ["passed", "passed"]
    assert len(upstream.requests) == 2
    proxy.decided("passed", 2)
    assert [send(proxy, key="a").decision for _ in range(2)] == ["forwarded", "replayed"]


def test_a_fixed_answer_suppresses_duplicates(stage, upstream):
    fixed = {"status": 202, "headers": {"x-why": "seen"}, "body": '{"done":true}'}
    proxy = stage.proxy(upstream, [policy(on_duplicate=fixed)])
    assert send(proxy, key="a").decision == "forwarded"
    again = send(proxy, key="a")
    assert (again.status, again.decision, again["x-why"]) == (202, "suppressed", "seen")
    assert again.json == {"done": True}
    assert again["idempotent-replayed"] is None


def test_a_fixed_answer_without_a_body_says_why(stage, upstream):
    proxy = stage.proxy(upstream, [policy(on_duplicate={"status": 200})])
    send(proxy, key="a")
    again = send(proxy, key="a")
    assert (again.status, again.json) == (200, {"status": "suppressed", "reason": "duplicate"})


def test_an_answer_too_large_to_keep_is_delivered_once_and_then_refused(stage):
    body = b"x" * 5000
    upstream = stage.upstream(lambda exchange: exchange.answer(200, body))
    proxy = stage.proxy(upstream, [policy(replay={"max_body": "4KiB"})])
    first = send(proxy, key="a")
    assert (first.decision, first.body) == ("forwarded", body)
    again = send(proxy, key="a")
    assert (again.status, again.problem, again.decision) == (409, "not-replayable", "not-replayable")
    assert upstream.executions["a"] == 1


def test_a_chunked_answer_too_large_to_keep_is_streamed_on(stage):
    body = b"x" * 300_000
    upstream = stage.upstream(lambda exchange: exchange.answer(200, body, chunked=True))
    proxy = stage.proxy(upstream, [policy(replay={"max_body": "4KiB"})])
    first = send(proxy, key="a")
    assert (first.decision, first.body) == ("forwarded", body)
    assert send(proxy, key="a").decision == "not-replayable"


def test_an_answer_of_exactly_max_body_is_replayed(stage):
    upstream = stage.upstream(lambda exchange: exchange.answer(200, b"x" * 4096))
    proxy = stage.proxy(upstream, [policy(replay={"max_body": "4KiB"})])
    send(proxy, key="a")
    assert send(proxy, key="a").body == b"x" * 4096


def test_requests_no_policy_covers_pass_untouched(proxy, upstream):
    for _ in range(2):
        answer = send(proxy, target="/other", key="a")
        assert answer.status == 200
        assert answer["idempotent-replayed"] is None
    get = once(proxy.data, request("GET", key="a"))
    assert get.status == 200
    assert len(upstream.requests) == 3
    assert all(r["onceproxy-fingerprint"] is None for r in upstream.requests)
    proxy.decided("passed", 3, policy="")


def test_enforcement_off_forwards_everything(stage, upstream):
    proxy = stage.proxy(upstream, [policy(enforcement={"mode": "off"})])
    assert [send(proxy, key="a").decision for _ in range(2)] == ["passed", "passed"]
    assert upstream.executions["a"] == 2
    proxy.decided("passed", 2)


def test_the_first_policy_that_matches_covers(stage, upstream):
    gold = policy(name="gold", match={"headers": {"x-tier": "gold"}}, on_missing="pass")
    typed = policy(name="typed", match={"where": [{"body": "/type", "equals": "t"}]},
                   fingerprint=[{"body": "/id"}])
    rest = policy(name="rest")
    proxy = stage.proxy(upstream, [gold, typed, rest])
    assert send(proxy, headers={"X-Tier": "gold"}).decision == "passed"
    assert send(proxy, body={"type": "t", "id": 1}).decision == "forwarded"
    assert send(proxy, body={"type": "t", "id": 1}).decision == "replayed"
    assert send(proxy, body={"type": "u", "id": 1}).decision == "missing-key"
    proxy.decided("replayed", 1, policy="typed")
    proxy.decided("missing-key", 1, policy="rest")


def test_an_operation_is_forgotten_when_its_window_is_over(stage, upstream):
    proxy = stage.proxy(upstream, [policy(window="1s")])
    assert send(proxy, key="a").decision == "forwarded"
    eventually(lambda: send(proxy, key="a").decision == "forwarded", "the window's end", within=20)
    assert upstream.executions["a"] == 2

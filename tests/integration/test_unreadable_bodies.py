"""A body that the service can read and onceproxy cannot is no way around a policy that needs the body."""

import gzip

import pytest

from harness import eventually, policy, request
from harness.client import once

JSON = {"Content-Type": "application/json"}


def dispatch(**changes):
    where = [{"body": "/type", "equals": "dispatch"}]
    return policy(**{"match": {"where": where}, "fingerprint": [{"body": "/id"}], **changes})


def send(proxy, body, headers=JSON, target="/orders", key=None):
    return once(proxy.data, request(target=target, headers=headers, body=body, key=key))


UNREADABLE = {
    "a member twice": (b'{"type":"dispatch","id":1,"id":1}', "a member name is repeated at byte 26"),
    "NaN": (b'{"id":"e1","cpu":NaN}', "a JSON value is missing at byte 17"),
    "cut off": (b'{"type":"dispatch","id":1', "the document ends too early at byte 25"),
    "65 levels": (b'{"x":' + b"[" * 65 + b"]" * 65 + b"}", "nested too deeply at byte 68"),
    "UTF-16": ('{"type":"dispatch","id":3}'.encode("utf-16"), "this is not UTF-8 at byte 0"),
    "UTF-16 without a mark": ('{"type":"dispatch"}'.encode("utf-16-le"), "at byte 1"),
    "Latin-1": (b'{"type":"M\xfcller"}', "this is not UTF-8 at byte 10"),
    "white space alone": (b" ", "a JSON value is missing"),
}
UNDECODABLE = {
    "not gzip": ({"Content-Encoding": "gzip"}, b'{"type":"dispatch","id":7}'),
    "unknown": ({"Content-Encoding": "br"}, b'{"type":"dispatch","id":7}'),
    "more than the limit": ({"Content-Encoding": "gzip"}, gzip.compress(b" " * 2_000_000)),
}


def refused(answer, place):
    assert (answer.status, answer.decision) == (400, "unreadable")
    assert answer.problem == "unreadable-body"
    assert place in answer.json["detail"]


def test_a_body_that_cannot_be_read_is_refused_with_the_place(stage, upstream):
    proxy = stage.proxy(upstream, [dispatch()])
    for body, place in UNREADABLE.values():
        refused(send(proxy, body), place)
    for headers, body in UNDECODABLE.values():
        refused(send(proxy, body, headers), "Content-Encoding")
    refused(send(proxy, gzip.compress(b'{"type":1,}'), {"Content-Encoding": "gzip"}),
            "at byte 10 of the decoded body")
    count = len(UNREADABLE) + len(UNDECODABLE) + 1
    assert upstream.requests == []
    proxy.decided("unreadable", count)
    lines = proxy.access_log(count)
    assert {line["decision"] for line in lines} == {"unreadable"}
    # Two workers write them, in whatever order.
    assert any("a member name is repeated at byte 26" in line["error"] for line in lines)

    def audited():
        return proxy.operator.get("/audit?decision=unreadable")["items"]

    eventually(lambda: len(audited()) == count, "the audit log has them")
    assert {entry["policy"] for entry in audited()} == {"orders"}


def test_json_that_does_not_say_so_is_known_by_its_beginning(stage, upstream):
    proxy = stage.proxy(upstream, [dispatch()])
    broken = b'{"type":"dispatch","id":1,"id":1}'
    for headers in ({}, {"Content-Type": "text/plain"},
                    {"Content-Type": "application/x-www-form-urlencoded"}):
        assert send(proxy, broken, headers).decision == "unreadable"
        assert send(proxy, b"\n\t " + broken, headers).decision == "unreadable"


def test_a_body_that_is_not_json_and_not_declared_so_meets_no_condition(stage, upstream):
    proxy = stage.proxy(upstream, [dispatch()])
    for headers, body in [(JSON, b""), ({}, b"type=dispatch"), ({}, b"dispatch [1]"),
                          ({"Content-Type": "application/x-www-form-urlencoded"}, b"type=dispatch"),
                          ({"Content-Encoding": "gzip"}, b""), ({}, b"\xff\xd8\xff")]:
        answer = send(proxy, body, headers)
        assert (answer.status, answer.decision) == (200, None)


def test_a_byte_order_mark_is_skipped_and_half_a_pair_is_read(stage, upstream):
    proxy = stage.proxy(upstream, [dispatch()])
    plain = b'{"type":"dispatch","id":2}'
    assert send(proxy, b"\xef\xbb\xbf" + plain).decision == "forwarded"
    assert send(proxy, plain).decision == "replayed"
    half = b'{"type":"dispatch","id":"\\ud83d"}'
    assert send(proxy, half).decision == "forwarded"
    assert send(proxy, half.replace(b"ud83d", b"uD83D")).decision == "replayed"
    assert send(proxy, half.replace(b"ud83d", b"ud83e")).decision == "forwarded"
    assert upstream.requests[0].body == b"\xef\xbb\xbf" + plain


def test_half_a_pair_counts_in_the_payload_as_it_is_escaped(stage, upstream):
    proxy = stage.proxy(upstream)
    one, other = rb'{"a":"\ud83d"}', rb'{"a":"\ud83e"}'
    assert send(proxy, one, key="k").decision == "forwarded"
    assert send(proxy, rb' { "a" : "\uD83D" }', key="k").decision == "replayed"
    assert send(proxy, other, key="k").decision == "mismatch"


@pytest.mark.parametrize("says", [{"on_unreadable": "pass"}, {"on_missing": "pass"}])
def test_a_policy_may_let_it_pass_unprotected(stage, upstream, says):
    proxy = stage.proxy(upstream, [dispatch(**says)])
    for _ in range(2):
        answer = send(proxy, b'{"id":1,}')
        assert (answer.status, answer.decision) == (200, "passed")
    metrics = proxy.metrics()
    assert metrics.sum("onceproxy_unprotected_total", policy="orders", reason="unreadable") == 2


def test_defaults_do_not_apply_to_an_unreadable_body(stage, upstream):
    fields = {"a default": [{"body": "/id", "default": "none"}],
              "another field": [{"body": "/id", "otherwise": {"header": "x-id"}}]}
    for target, fingerprint in enumerate(fields.values()):
        proxy = stage.proxy(upstream, [policy(fingerprint=fingerprint, on_missing="pass",
                                              on_unreadable="reject")])
        assert send(proxy, b'{"id":1,}', {"X-Id": "1"}).decision == "unreadable", target


@pytest.mark.parametrize("where", ["scope", "payload", "entity", "rate_limit", "override"])
def test_every_use_of_the_body_by_a_policy_is_checked(stage, upstream, where):
    body = {"body": "/id"}
    asking = {
        "scope": {"scope": [body]},
        "payload": {"payload": [body]},
        "entity": {"entity": {"type": "order", "id": [body]}},
        "rate_limit": {"rate_limit": {"limit": 9, "per": "1h", "by": [body]}},
        "override": {"overrides": [{"where": {**body, "equals": 1}, "window": "5m"}]},
    }
    proxy = stage.proxy(upstream, [policy(payload=[], **asking[where])
                                   if where != "payload" else policy(**asking[where])])
    assert send(proxy, b'{"id":1,}', key="a").decision == "unreadable"
    assert send(proxy, b'{"id":1}', key="a").decision == "forwarded"


def test_an_unreadable_body_concerns_no_policy_that_does_not_ask_it(stage, upstream):
    """As content it counts by its bytes, as before."""
    proxy = stage.proxy(upstream)
    assert send(proxy, b'{"id":1,}', key="a").decision == "forwarded"
    assert send(proxy, b'{"id":1,}', key="a").decision == "replayed"
    assert send(proxy, b'{"id":2,}', key="a").decision == "mismatch"


@pytest.mark.parametrize("enforcement, decision", [
    ({"mode": "shadow"}, "forwarded;shadow=unreadable"),
    ({"mode": "off"}, "passed"),
    ({"percent": 50}, "passed"),
    ({"mode": "shadow", "percent": 50}, "passed"),
])
def test_a_policy_that_is_not_enforced_for_all_refuses_nothing(stage, upstream, enforcement, decision):
    proxy = stage.proxy(upstream, [dispatch(enforcement=enforcement)])
    answer = send(proxy, b'{"id":1,}')
    assert (answer.status, answer.decision) == (200, decision)


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_a_policy_that_is_not_enforced_is_no_way_round_the_next(stage, upstream, mode):
    first = dispatch(name="first", enforcement={"mode": mode})
    kind = {"where": [{"body": "/kind", "equals": "order"}]}
    proxy = stage.proxy(upstream, [first, dispatch(name="second", match=kind), policy()])
    assert send(proxy, b'{"id":1,}', key="a").decision == "unreadable"
    proxy.decided("unreadable", 1, policy="second")
    proxy = stage.proxy(upstream, [first, policy()])
    assert send(proxy, b'{"id":1,}', key="a").decision == "forwarded"
    assert send(proxy, b'{"id":1,}', key="a").decision == "replayed"


def test_the_policy_may_answer_in_its_own_words(stage, upstream):
    proxy = stage.proxy(upstream, [dispatch(respond={"unreadable": {"status": 200, "body": "ok"}})])
    answer = send(proxy, b'{"id":1,}')
    assert (answer.status, answer.body, answer.decision) == (200, b"ok", "unreadable")

"""Which requests belong to one operation: keys, fields, callers, spellings."""

import pytest

from harness import policy
from test_decisions import send


def test_json_that_means_the_same_is_no_other_payload(proxy):
    types = {"Content-Type": "application/json"}
    assert send(proxy, key="a", headers=types, body='{"a":1.0,"b":[1,2]}').decision == "forwarded"
    assert send(proxy, key="a", headers=types, body='{ "b" : [1, 2], "a": 1 }').decision == "replayed"


def test_numbers_beyond_doubles_are_distinguished(proxy):
    types = {"Content-Type": "application/json"}
    assert send(proxy, key="a", headers=types, body='{"n":9007199254740993}').decision == "forwarded"
    assert send(proxy, key="a", headers=types, body='{"n":9007199254740992}').decision == "mismatch"


@pytest.mark.parametrize(
    "headers",
    [
        [("Idempotency-Key", "")],
        [("Idempotency-Key", '""')],
        [("Idempotency-Key", "a"), ("Idempotency-Key", "a")],
        [("Idempotency-Key", "a"), ("idempotency-key", "b")],
        [("Idempotency-Key", "a,b")],
        [("Idempotency-Key", "a b")],
        [("Idempotency-Key", '"a')],
        [("Idempotency-Key", 'a"b')],
        [("Idempotency-Key", '"a"b')],
        [("Idempotency-Key", "k" * 256)],
        [("Idempotency-Key", "kéy")],
    ],
    ids=["empty", "empty string", "twice", "two", "merged", "space", "unclosed", "quote inside",
         "behind the string", "too long", "not ASCII"],
)
def test_a_malformed_key_is_refused(proxy, upstream, headers):
    refused = send(proxy, headers=headers)
    assert refused.decision == "bad-key"
    assert (refused.status, refused.problem) == (400, "bad-key")
    assert upstream.bytes_received == 0


def test_quoted_and_bare_spellings_name_one_key(proxy, upstream):
    assert send(proxy, key="abc").decision == "forwarded"
    assert send(proxy, key='"abc"').decision == "replayed"
    assert send(proxy, key='"abc";v=1').decision == "replayed"
    assert send(proxy, key="k" * 255).decision == "forwarded"


def test_a_pattern_narrows_the_key(stage, upstream):
    selector = {"client_key": "Idempotency-Key", "pattern": "[0-9a-f]{8}"}
    proxy = stage.proxy(upstream, [policy(fingerprint=[selector])])
    assert send(proxy, key="0123abcd").decision == "forwarded"
    assert send(proxy, key="0123abcde").decision == "bad-key"


def test_fields_of_the_body_make_the_fingerprint_without_any_key(stage, upstream):
    fields = [{"path": "ride_id"}, {"body": "/driver_id"}, {"body": "/sequence"}]
    ride = policy(match={"path": "/rides/{ride_id}/dispatch"}, fingerprint=fields)
    proxy = stage.proxy(upstream, [ride])
    there = {"target": "/rides/r1/dispatch"}
    body = {"driver_id": "d1", "sequence": 1}
    assert send(proxy, body=body, **there).decision == "forwarded"
    assert send(proxy, body={**body, "sent_at": 17}, **there).decision == "replayed"
    assert send(proxy, body=body, target="//rides/./r%31/dispatch").decision == "replayed"
    assert send(proxy, body={**body, "sequence": 2}, **there).decision == "forwarded"
    assert send(proxy, body=body, target="/rides/r2/dispatch").decision == "forwarded"


def test_callers_do_not_share_keys(stage, upstream):
    proxy = stage.proxy(upstream, [policy(scope=[{"header": "authorization"}])])
    as_a, as_b = {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}
    first = send(proxy, key="k", headers=as_a)
    other = send(proxy, key="k", headers=as_b)
    again = send(proxy, key="k", headers=as_a)
    assert [first.decision, other.decision, again.decision] == ["forwarded", "forwarded", "replayed"]
    assert again.body == first.body != other.body
    assert send(proxy, key="k").decision == "missing-key"


@pytest.mark.parametrize(
    "target",
    ["/%6Frders", "//orders", "/./orders", "/x/../orders", "/orders?", "/orders?a=1"],
)
def test_no_spelling_of_a_path_walks_round_a_policy(proxy, upstream, target):
    assert send(proxy, target=target).decision == "missing-key"
    assert send(proxy, target=target, key="a").decision == "forwarded"
    assert upstream.requests[0].target == target, "forwarded byte for byte"

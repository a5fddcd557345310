"""A replay is adapted to its request: its content coding, its origin, its own id."""

import gzip
import json
import zlib

import pytest

from harness import policy, request
from harness.client import once

BODY = b'{"order":1,"note":"' + b"n" * 2000 + b'"}'


def encodes(exchange):
    """A service that sends gzip to whoever says that he takes it."""
    if "gzip" in (exchange.request["accept-encoding"] or ""):
        exchange.answer(201, gzip.compress(BODY),
                        {"Content-Encoding": "gzip", "Vary": "Accept-Encoding", "ETag": '"z"'})
    else:
        exchange.answer(201, BODY, {"Vary": "Accept-Encoding"})


def ask(proxy, accepts=None, key="a", **kwargs):
    headers = {} if accepts is None else {"Accept-Encoding": accepts}
    return once(proxy.data, request(key=key, headers=headers, **kwargs))


@pytest.fixture
def proxy(stage):
    return stage.proxy(stage.upstream(encodes))


def test_a_client_that_accepts_the_stored_coding_gets_the_stored_bytes(proxy):
    first = ask(proxy, "gzip")
    again = ask(proxy, "br, gzip;q=0.1")
    assert (again.decision, again["content-encoding"]) == ("replayed", "gzip")
    assert (again.body, again["etag"]) == (first.body, '"z"')


@pytest.mark.parametrize("accepts", ["identity", "gzip;q=0", "br", "", "*;q=0", None])
def test_other_clients_get_the_body_decoded(proxy, accepts):
    assert ask(proxy, "gzip")["content-encoding"] == "gzip"
    again = ask(proxy, accepts)
    assert (again.status, again.decision, again.body) == (201, "replayed", BODY)
    assert (again["content-encoding"], again["vary"]) == (None, "Accept-Encoding")
    assert again["etag"] == 'W/"z"'
    # It is decoded for this one alone.
    assert ask(proxy, "gzip")["content-encoding"] == "gzip"


def test_an_answer_without_a_coding_is_good_for_everybody(proxy):
    assert ask(proxy).body == BODY
    again = ask(proxy, "gzip, identity;q=0")
    assert (again.decision, again.body, again["content-encoding"]) == ("replayed", BODY, None)


def test_deflate_and_two_codings_in_a_row_are_decoded(stage):
    stored = {"one": ("deflate", zlib.compress(BODY)),
              "two": ("deflate, gzip", gzip.compress(zlib.compress(BODY)))}

    def handler(exchange):
        coding, body = stored[exchange.request["idempotency-key"]]
        exchange.answer(200, body, {"Content-Encoding": coding})

    proxy = stage.proxy(stage.upstream(handler))
    for key, (_, body) in stored.items():
        assert ask(proxy, "deflate, gzip", key).body == body
        assert ask(proxy, "identity", key).body == BODY


@pytest.mark.parametrize("body, headers", [
    (b"brotli, or what passes for it", {"Content-Encoding": "br"}),
    (b"no gzip at all", {"Content-Encoding": "gzip"}),
    (gzip.compress(BODY)[:-5], {"Content-Encoding": "gzip"}),
    (gzip.compress(b"0" * 17_000_000), {"Content-Encoding": "gzip"}),
    (gzip.compress(BODY), {"Content-Encoding": "gzip", "Cache-Control": "no-transform"}),
], ids=["unknown", "untrue", "cut off", "a bomb", "no-transform"])
def test_a_body_that_cannot_be_decoded_is_replayed_unchanged(stage, body, headers):
    """An error would hide that the operation was done."""
    proxy = stage.proxy(stage.upstream(lambda exchange: exchange.answer(200, body, headers)))
    ask(proxy, "identity")
    again = ask(proxy, "identity")
    assert (again.status, again.decision, again.body) == (200, "replayed", body)
    assert again["content-encoding"] == headers["Content-Encoding"]


def test_one_that_waited_for_the_first_one_s_answer_is_asked_too(stage):
    upstream = stage.upstream(encodes)
    proxy = stage.proxy(upstream, [policy(in_flight={"action": "wait", "timeout": "10s"})])
    assert ask(proxy, "gzip")["content-encoding"] == "gzip"
    assert ask(proxy, "identity").body == BODY
    assert upstream.executions["a"] == 1


CALL = {"jsonrpc": "2.0", "method": "tools/call", "params": {
    "name": "complete_checkout", "arguments": {"cart": "c1"},
    "_meta": {"idempotency-key": "k1"}}}


def rpc(stage, handler, **changes):
    rules = {"match": {"path": "/rpc"}, "fingerprint": [{"body": "/params/_meta/idempotency-key"}],
             "payload": [{"body": "/method"}, {"body": "/params/name"}, {"body": "/params/arguments"}],
             "replay": {"set": [{"at": "/id", "from": {"body": "/id"}}]}}
    return stage.proxy(stage.upstream(handler), [policy(name="rpc", **{**rules, **changes})])


def call(proxy, number, accepts="identity"):
    return once(proxy.data, request(target="/rpc", headers={"Accept-Encoding": accepts},
                                    body={**CALL, "id": number} if number is not None else CALL))


def answers_with_its_id(exchange):
    exchange.answer(200, {"jsonrpc": "2.0", "id": json.loads(exchange.request.body)["id"],
                          "result": {"id": "inner", "n": 1.0}})


@pytest.mark.parametrize("number", [2, "two \"quoted\" é", -1, 2**60, None])
def test_a_replay_carries_the_id_of_the_call_that_asks(stage, number):
    proxy = rpc(stage, answers_with_its_id)
    first = call(proxy, 1)
    again = call(proxy, number)
    assert (first.decision, again.decision) == ("forwarded", "replayed")
    # A call without an id leaves the answer as it is.
    assert again.json == {**first.json, "id": 1 if number is None else number}


def test_the_id_is_put_into_an_encoded_answer_too(stage):
    def encoded(exchange):
        exchange.answer(200, gzip.compress(b'{"id": 1, "result": 7}'), {
            "Content-Type": "application/json", "Content-Encoding": "gzip"})

    proxy = rpc(stage, encoded)
    assert call(proxy, 1, "gzip")["content-encoding"] == "gzip"
    again = call(proxy, 9, "gzip")
    assert (again["content-encoding"], again.body) == (None, b'{"id": 9, "result": 7}')


def test_an_answer_that_is_no_json_or_has_no_id_is_replayed_as_it_is(stage):
    for body in (b"<html>/id</html>", b'{"result":1}', b'[{"id":1}]', b""):
        proxy = rpc(stage, lambda exchange, body=body: exchange.answer(200, body))
        call(proxy, 1)
        again = call(proxy, 2)
        assert (again.decision, again.body) == ("replayed", body)


PRESETS = {
    "json-rpc": (lambda key: {"Idempotency-Key": key}, lambda key: {}),
    "mcp": (lambda key: {}, lambda key: {"_meta": {"idempotency-key": key}}),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_call_s_preset_takes_a_retry_for_the_call_it_repeats(stage, preset):
    upstream = stage.upstream(answers_with_its_id)
    rules = {"name": "calls", "match": {"methods": ["POST"], "path": "/rpc"}, "preset": preset,
             "scope": "shared"}
    proxy = stage.proxy(upstream, [rules])
    in_head, in_body = PRESETS[preset]

    def send(number, key, cart="c1"):
        params = {"name": "complete_checkout", "arguments": {"cart": cart}}
        if key:
            params |= in_body(key)
        return once(proxy.data, request(
            target="/rpc", headers=in_head(key) if key else {},
            body={"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}))

    assert (send(1, "k").decision, send(2, "k").json["id"]) == ("forwarded", 2)
    assert send(3, "k").decision == "replayed"
    assert send(4, "k", "c2").decision == "mismatch"
    assert send(5, "other").decision == "forwarded"
    assert [send(6, None).decision for _ in range(2)] == ["passed"] * 2
    listing = once(proxy.data, request(target="/rpc", body={"jsonrpc": "2.0", "id": 7,
                                                            "method": "tools/list"}))
    assert (listing.status, listing.decision) == (200, "passed")

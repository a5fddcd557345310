"""The request's id in every answer and in the log, and the fields that identify the client to the service."""

import re
import uuid

import pytest

from harness import Client, policy, request
from harness.client import once

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

REPLAYED = policy(name="replayed", match={"path": "/replayed"})
FIXED = policy(name="fixed", match={"path": "/fixed"}, on_duplicate={"status": 204})


def echoes(exchange):
    """A service that puts an id of its own into its answer."""
    exchange.answer(200, b"ok", {"X-Request-Id": "of-the-service"})


@pytest.fixture
def proxy(stage):
    return stage.proxy(stage.upstream(echoes), [policy(), REPLAYED, FIXED])


# What is sent, and what becomes of it; whatever it needs before is sent with another id.
ANSWERS = {
    "forwarded": ({"key": "a"}, 200),
    "replayed": ({"key": "a", "target": "/replayed"}, 200),
    "suppressed": ({"key": "a", "target": "/fixed"}, 204),
    "missing-key": ({}, 400),
    "mismatch": ({"key": "a", "target": "/replayed", "body": {"n": 2}}, 422),
    "bad-request": ({"target": "/a%2Fb"}, 400),
    "passed": ({"target": "/uncovered"}, 200),
}


@pytest.mark.parametrize("decision", ANSWERS)
@pytest.mark.parametrize("mine", ["mine-1", None])
def test_every_answer_carries_the_id_that_the_log_has(proxy, decision, mine):
    sent, status = ANSWERS[decision]
    before = 0
    if decision in ("replayed", "suppressed", "mismatch"):
        once(proxy.data, request(key="a", target=sent["target"], headers={"X-Request-Id": "first"}))
        before = 1
    headers = {"X-Request-Id": mine} if mine else {}
    answer = once(proxy.data, request(headers=headers, **sent))
    assert (answer.status, answer.decision or "passed") == (status, decision)
    decided = {line["request_id"]: line["decision"] for line in proxy.access_log(before + 1)}
    assert decided[answer["x-request-id"]] == decision
    if mine:
        assert answer["x-request-id"] == mine
    else:
        assert re.fullmatch(UUID, answer["x-request-id"])


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_an_answer_that_is_made_for_a_service_that_is_down_carries_it_too(stage, target):
    proxy = stage.proxy(stage.upstream(listening=False))
    answer = once(proxy.data, request(key="a", target=target, headers={"X-Request-Id": "mine"}))
    assert (answer.status, answer["x-request-id"]) == (502, "mine")


def test_a_head_that_is_malformed_gets_an_id_of_its_own(proxy):
    answer = once(proxy.data, b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: x\r\nbad\r\n\r\n", "GET")
    assert answer.status == 400
    assert re.fullmatch(UUID, answer["x-request-id"])
    assert proxy.access_log(1)[0]["request_id"] == answer["x-request-id"]


def test_a_connection_over_the_limit_gets_one_too(stage, upstream):
    proxy = stage.proxy(upstream, limits={"connections": 1})
    with Client(proxy.data) as first:
        assert first.call(key="a").status == 200
        with Client(proxy.data) as second:
            refused = second.read()
    assert (refused.status, refused.decision) == (503, "busy")
    assert re.fullmatch(UUID, refused["x-request-id"])
    assert refused["x-request-id"] in [line.get("request_id") for line in proxy.access_log(2)]


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
@pytest.mark.parametrize("ids", [["x" * 129], [""]])
def test_an_id_that_is_empty_or_too_long_is_replaced(stage, upstream, target, ids):
    proxy = stage.proxy(upstream)
    headers = [("X-Request-Id", one) for one in ids]
    answer = once(proxy.data, request(key="a", target=target, headers=headers))
    assert re.fullmatch(UUID, answer["x-request-id"])
    assert upstream.requests[0]["x-request-id"] == answer["x-request-id"]


def test_an_id_lasts_while_its_request_s_body_comes_in_pieces(stage, upstream):
    proxy = stage.proxy(upstream, limits={"head_bytes": "1KiB"})
    body = b"b" * 100_000
    data = request(key="a", body=body)
    with Client(proxy.data) as client:
        client.send(data[:-1000])
        client.send(data[-1000:])
        answer = client.read()
    assert re.fullmatch(UUID, answer["x-request-id"])
    assert upstream.requests[0]["x-request-id"] == answer["x-request-id"]


def test_an_uncovered_request_carries_the_clients_address(proxy, stage):
    upstream = stage.upstreams[0]
    mine = str(uuid.uuid4())
    answer = once(proxy.data, request("GET", "/uncovered", headers={
        "X-Forwarded-For": "203.0.113.7", "X-Request-Id": mine}))
    seen = upstream.requests[0]
    assert seen["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-request-id"] == answer["x-request-id"] == mine
    # What is of use to covered requests alone stays theirs.
    for name in ("x-forwarded-host", "x-envoy-expected-rq-timeout-ms", "onceproxy-fence"):
        assert seen[name] is None
    once(proxy.data, request("GET", "/uncovered", headers={"X-Forwarded-Proto": "https"}))
    assert upstream.requests[1]["x-forwarded-proto"] == "https"
    assert upstream.requests[1]["x-forwarded-for"] == "127.0.0.1"
    assert re.fullmatch(UUID, upstream.requests[1]["x-request-id"])


def test_the_clients_address_is_forwarded_also_if_the_policy_is_off(stage, upstream):
    proxy = stage.proxy(upstream, [policy(enforcement={"mode": "off"})])
    answer = once(proxy.data, request(key="a"))
    assert answer.decision == "passed"
    assert upstream.requests[0]["x-forwarded-for"] == "127.0.0.1"


def test_uncovered_requests_go_on_as_they_came_where_that_is_wanted(stage, upstream):
    proxy = stage.proxy(upstream, upstream={"forwarded_fields": "covered"})
    answer = once(proxy.data, request("GET", "/uncovered", headers={"X-Forwarded-For": "1.2.3.4"}))
    seen = upstream.requests[0]
    assert seen["x-forwarded-for"] == "1.2.3.4"
    assert (seen["x-forwarded-proto"], seen["x-request-id"]) == (None, None)
    # The log has the id all the same, so the answer has it.
    assert answer["x-request-id"] == proxy.access_log(1)[0]["request_id"]
    assert once(proxy.data, request(key="a")).status == 200
    assert upstream.requests[1]["x-forwarded-for"] == "127.0.0.1"
    proxy.settings["upstream"]["forwarded_fields"] = "all"
    proxy.configure(proxy.settings)
    proxy.operator.post("/reload")
    once(proxy.data, request("GET", "/uncovered"))
    assert upstream.requests[2]["x-forwarded-for"] == "127.0.0.1"


def test_a_switch_of_protocols_is_an_answer_too(stage):
    def switches(exchange):
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                      b"Upgrade: websocket\r\nX-Request-Id: theirs\r\n\r\n")

    proxy = stage.proxy(stage.upstream(switches))
    with Client(proxy.data) as client:
        client.send(request("GET", "/socket", headers={
            "Connection": "Upgrade", "Upgrade": "websocket", "X-Request-Id": "mine"}))
        while b"\r\n\r\n" not in client.buffer:
            assert client.receive()
        head = bytes(client.buffer).lower()
    assert head.startswith(b"http/1.1 101") and head.count(b"x-request-id") == 1
    assert b"x-request-id: mine\r\n" in head

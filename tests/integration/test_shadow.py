"""Introducing a policy: in shadow mode it refuses nothing and reports what it would have decided; a
percentage always selects the same keys."""

import threading

import pytest

from harness import Client, crowd, policy, request
from harness.client import once
from harness.upstream import executed_after


def shadow(**changes):
    return policy(enforcement={"mode": "shadow"}, **changes)


def test_everything_is_forwarded_and_the_header_says_what_would_have_been(stage, upstream):
    proxy = stage.proxy(upstream, [shadow()])
    first = once(proxy.data, request(key="a", body={"n": 1}))
    again = once(proxy.data, request(key="a", body={"n": 1}))
    other = once(proxy.data, request(key="a", body={"n": 2}))
    missing = once(proxy.data, request(body={"n": 2}))
    malformed = once(proxy.data, request(headers={"Idempotency-Key": "a,b"}, body={"n": 2}))
    assert [answer.decision for answer in (first, again, other, missing, malformed)] == [
        "forwarded;shadow=forwarded",
        "forwarded;shadow=replayed",
        "forwarded;shadow=mismatch",
        "forwarded;shadow=missing-key",
        "forwarded;shadow=bad-key",
    ]
    assert [answer.json["execution"] for answer in (first, again, other, missing, malformed)] == [
        1, 2, 3, 4, 5]
    assert again["idempotent-replayed"] is None
    proxy.decided("forwarded", 5)
    metrics = proxy.metrics()
    for decision in ("forwarded", "replayed", "mismatch", "missing-key", "bad-key"):
        assert metrics.sum("onceproxy_shadow_decisions_total", policy="orders",
                           decision=decision) == 1
    lines = proxy.access_log(5)
    assert [line["decision"] for line in lines] == ["forwarded"] * 5
    assert sorted(line["shadow"] for line in lines) == [
        "bad-key", "forwarded", "mismatch", "missing-key", "replayed"]


def test_reservations_under_way_delay_no_request_in_shadow_mode(stage):
    finish = threading.Event()

    def handler(exchange):
        if exchange.execution == 1:
            finish.wait(60)
        exchange.answer(200, {})

    upstream = stage.upstream(handler)
    entity = {"type": "order", "id": [{"header": "idempotency-key"}], "wait": "60s"}
    proxy = stage.proxy(upstream, [shadow(in_flight={"action": "wait", "timeout": "60s"},
                                          entity=entity, max_concurrency=1)])
    with Client(proxy.data) as first:
        first.send(request(key="a"))
        upstream.wait_for_requests(1)
        answers = crowd(proxy.data, [request(key="a")] * 5)
        assert {answer.decision for answer in answers} == {"forwarded;shadow=in-flight"}
        finish.set()
        assert first.read("POST").decision == "forwarded;shadow=forwarded"


def test_the_store_works_as_if_it_were_enforced(stage, upstream):
    """What was watched is known once the policy is enforced."""
    proxy = stage.proxy(upstream, [shadow()])
    assert once(proxy.data, request(key="a")).decision == "forwarded;shadow=forwarded"
    proxy.terminate()
    proxy.settings["policies"] = [policy()]
    proxy.configure(proxy.settings)
    proxy.restart()
    assert once(proxy.data, request(key="a")).decision == "replayed"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_too_large_to_be_covered_goes_on(stage, upstream, chunked):
    proxy = stage.proxy(upstream, [shadow()], limits={"body_bytes": "64KiB"})
    body = b"x" * 300_000
    if chunked:
        half = len(body) // 2
        data = (request(key="a", headers={"Transfer-Encoding": "chunked"})
                .replace(b"Content-Length: 0\r\n", b"")
                + b"".join(b"%x\r\n%s\r\n" % (half, body[:half]) for _ in range(2)) + b"0\r\n\r\n")
    else:
        data = request(key="a", body=body)
    with Client(proxy.data) as client:
        for _ in range(2):  # the connection goes on
            answer = client.exchange(data)
            assert (answer.status, answer.decision) == (200, "forwarded;shadow=bad-request")
    assert [sent.body for sent in upstream.requests] == [body] * 2


def test_shadow_mode_changes_no_answer_when_the_upstream_fails(stage):
    upstream = stage.upstream(listening=False)
    proxy = stage.proxy(upstream, [shadow()])
    answer = once(proxy.data, request(key="a"))
    assert (answer.status, answer.decision) == (502, "upstream-error;shadow=forwarded")


def test_a_share_of_the_keys_is_always_the_same_share(stage, upstream):
    proxy = stage.proxy(upstream, [policy(enforcement={"mode": "enforce", "percent": 30})])
    keys = [f"key-{n}" for n in range(300)]
    with Client(proxy.data) as client:
        first = {key: client.call(key=key).decision for key in keys}
        again = {key: client.call(key=key).decision for key in keys}
    inside = [key for key in keys if first[key] == "forwarded"]
    assert set(first.values()) == {"forwarded", "passed"}
    assert 50 < len(inside) < 130
    for key in keys:
        assert again[key] == ("replayed" if key in inside else "passed")
        assert upstream.executions[key] == (1 if key in inside else 2)


def test_zero_and_a_hundred_percent(stage, upstream):
    policies = [
        policy(name="nobody", enforcement={"percent": 0}, match={"path": "/nobody"}),
        policy(name="everybody", enforcement={"percent": 100}, match={"path": "/everybody"}),
    ]
    proxy = stage.proxy(upstream, policies)
    for target, decisions in (("/nobody", ["passed"] * 2),
                              ("/everybody", ["forwarded", "replayed"])):
        answers = [once(proxy.data, request(target=target, key="a")) for _ in range(2)]
        assert [answer.decision for answer in answers] == decisions


def test_a_policy_s_requests_at_once_are_bounded(stage):
    """And those of another policy are not."""
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream, [policy(max_concurrency=2)], upstream={"connect_timeout": "30s"})
    clients = [Client(proxy.data) for _ in range(6)]
    for number, client in enumerate(clients):
        client.send(request(key=f"key-{number}"))
    upstream.wait_for_requests(2)
    other = Client(proxy.data)
    other.send(request(target="/free"))
    upstream.wait_for_requests(3)
    assert sum(upstream.executions[f"key-{n}"] for n in range(6)) == 2
    finish.set()
    assert [client.read("POST").decision for client in clients] == ["forwarded"] * 6
    other.close()
    for client in clients:
        client.close()


def test_without_a_turn_of_the_policy_s_in_time_it_is_busy_and_free_again(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream, [policy(max_concurrency=1)],
                        upstream={"connect_timeout": "200ms"})
    with Client(proxy.data) as first:
        first.send(request(key="a"))
        upstream.wait_for_requests(1)
        assert once(proxy.data, request(key="b")).decision == "busy"
        finish.set()
        assert first.read("POST").status == 200
    assert once(proxy.data, request(key="b")).decision == "forwarded"

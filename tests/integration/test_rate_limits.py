"""Rate limits survive a restart, and count only requests that are forwarded."""

from harness import policy, request
from harness.client import once


def limited(**changes):
    return policy(rate_limit={"limit": 3, "per": "1h", "by": [{"body": "/name"}], **changes})


def alert(key, name="disk"):
    return request(key=key, body={"name": name})


def test_over_the_limit_is_429_with_the_time_of_the_next(stage, upstream):
    proxy = stage.proxy(upstream, [limited()])
    for number in range(3):
        assert once(proxy.data, alert(f"a{number}")).decision == "forwarded"
    answer = once(proxy.data, alert("a3"))
    assert (answer.status, answer.decision, answer.problem) == (429, "rate-limited", "rate-limited")
    # One of three an hour: the next in 20 minutes.
    assert 1190 <= int(answer["retry-after"]) <= 1200
    assert once(proxy.data, alert("b0", "memory")).decision == "forwarded"
    assert len(upstream.requests) == 4


def test_duplicates_consume_nothing(stage, upstream):
    proxy = stage.proxy(upstream, [limited()])
    for _ in range(20):
        assert once(proxy.data, alert("a0")).status == 200
    for number in range(1, 3):
        assert once(proxy.data, alert(f"a{number}")).decision == "forwarded"
    assert once(proxy.data, alert("a3")).decision == "rate-limited"
    # Over the limit, what was done is still answered.
    assert once(proxy.data, alert("a0")).decision == "replayed"


def test_tokens_of_released_operations_are_given_back(stage):
    upstream = stage.upstream(
        lambda exchange: exchange.answer(503 if exchange.execution <= 10 else 200, {}))
    proxy = stage.proxy(upstream, [limited()])
    for _ in range(10):
        assert once(proxy.data, alert("a0")).status == 503
    for number in range(3):
        assert once(proxy.data, alert(f"a{number}")).status == 200
    assert once(proxy.data, alert("a3")).decision == "rate-limited"


def test_a_limit_survives_kill_9(stage, upstream):
    proxy = stage.proxy(upstream, [limited()])
    for number in range(3):
        assert once(proxy.data, alert(f"a{number}")).decision == "forwarded"
    proxy.kill9()
    proxy.restart()
    assert once(proxy.data, alert("a3")).decision == "rate-limited"
    assert once(proxy.data, alert("a2")).decision == "replayed"


def test_without_by_each_operation_has_its_own(stage):
    """An operation that is forgotten may come again, but not too often."""
    upstream = stage.upstream(lambda exchange: exchange.answer(200, {}))
    proxy = stage.proxy(upstream, [policy(rate_limit={"limit": 1, "per": "1h"}, window="10ms")])
    assert once(proxy.data, alert("a")).decision == "forwarded"
    assert once(proxy.data, alert("b")).decision == "forwarded"
    decisions = set()
    while "rate-limited" not in decisions:
        decisions.add(once(proxy.data, alert("a")).decision)
    assert decisions <= {"replayed", "rate-limited"}
    assert upstream.executions["a"] == 1


def test_the_answer_can_be_the_policy_s_own(stage, upstream):
    answers = {"rate-limited": {"status": 200, "body": '{"ok":true}'}}
    proxy = stage.proxy(upstream, [{**limited(limit=1), "respond": answers}])
    assert once(proxy.data, alert("a0")).decision == "forwarded"
    answer = once(proxy.data, alert("a1"))
    assert (answer.status, answer.decision, answer.json) == (200, "rate-limited", {"ok": True})

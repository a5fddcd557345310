"""Operations that end when another one completes: the next request is a new operation with duplicates of its
own."""

import threading

import pytest

from harness import Client, eventually, request
from harness.client import once
from harness.process import run
from harness.upstream import executed_after


def alerts(**changes):
    entry = lambda action: {"fingerprint": [{"body": "/dedup_key"}, {"const": action}]}
    return [{
        "name": "alerts",
        "match": {"methods": ["POST"], "path": "/alerts"},
        "fingerprint": [{"body": "/dedup_key"}, {"body": "/event_action", "lower": True}],
        "window": "1h",
        "on_duplicate": {"status": 200},
        "ends": [entry("trigger"), entry("resolve")],
        **changes,
    }]


def event(action, key="k", **more):
    return request(target="/alerts", body={"dedup_key": key, "event_action": action, **more})


def decisions(proxy, *actions):
    return [once(proxy.data, event(action)).decision for action in actions]


def test_an_alert_that_fires_again_is_news(stage, upstream):
    proxy = stage.proxy(upstream, alerts())
    actions = ["trigger", "Trigger", "resolve", "resolve"] * 3
    assert decisions(proxy, *actions) == ["forwarded", "suppressed"] * 6
    assert upstream.executions["/alerts"] == 6


def test_one_alert_does_not_end_another(stage, upstream):
    proxy = stage.proxy(upstream, alerts())
    assert decisions(proxy, "trigger") == ["forwarded"]
    assert once(proxy.data, event("resolve", key="other")).decision == "forwarded"
    assert decisions(proxy, "trigger") == ["suppressed"]


@pytest.mark.parametrize("status, then", [(500, "suppressed"), (502, "suppressed"), (200, "forwarded")])
def test_only_a_completion_ends_anything(stage, status, then):
    def handler(exchange):
        resolves = b"resolve" in exchange.request.body
        exchange.answer(status if resolves else 200, b"")

    proxy = stage.proxy(stage.upstream(handler), alerts())
    assert decisions(proxy, "trigger", "resolve", "trigger") == ["forwarded", "forwarded", then]


def test_ended_operations_stay_ended_after_kill_9(stage, upstream):
    proxy = stage.proxy(upstream, alerts())
    for _ in range(5):
        assert decisions(proxy, "trigger", "resolve") == ["forwarded"] * 2
        proxy.kill9()
        proxy.restart()
        assert decisions(proxy, "resolve") == ["suppressed"], "its own completion is remembered"
        assert decisions(proxy, "trigger") == ["forwarded"], "what it ended is not"
        proxy.kill9()
        proxy.restart()
        assert decisions(proxy, "trigger") == ["suppressed"]
        assert decisions(proxy, "resolve") == ["forwarded"]


def test_a_completion_and_what_it_ends_are_one_whenever_the_process_is_killed(stage):
    """Whatever the moment of the kill: a resolution that is remembered has ended its trigger."""
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, alerts(lease="100ms"))
    for number in range(6):
        key = f"k{number}"
        assert once(proxy.data, event("trigger", key=key)).decision == "forwarded"
        with Client(proxy.data) as client:
            before = len(upstream.requests)
            client.send(event("resolve", key=key))
            upstream.wait_for_requests(before + number % 2)
            proxy.kill9()
        proxy.restart()
        remembered = proxy.operator.get("/records?limit=100")["items"]
        states = {item["fingerprint"]: item["state"] for item in remembered}
        trigger, resolve = (explained(proxy, event(action, key=key)) for action in ("trigger", "resolve"))
        if states.get(resolve) == "completed":
            assert trigger not in states
        else:
            assert states[trigger] == "completed"


def explained(proxy, message):
    shown = run("explain", "-c", proxy.config, "-", stdin=message.decode()).stdout
    return [line.split()[1] for line in shown.splitlines() if line.startswith("fingerprint")][0]


def test_an_operation_under_way_completes_unremembered(stage):
    finish = threading.Event()

    def handler(exchange):
        if b"trigger" in exchange.request.body and not finish.is_set():
            return executed_after(finish)(exchange)
        return exchange.answer(200, b"")

    upstream = stage.upstream(handler)
    proxy = stage.proxy(upstream, alerts(in_flight={"action": "acknowledge"}))
    with Client(proxy.data) as first:
        first.send(event("trigger"))
        upstream.wait_for_requests(1)
        assert decisions(proxy, "trigger") == ["acknowledged"]
        assert decisions(proxy, "resolve") == ["forwarded"]
        # It is not a duplicate any more, so the request that is sent now is not answered by the earlier one.
        assert decisions(proxy, "trigger") == ["in-flight"]
        finish.set()
        assert first.read("POST").decision == "forwarded"
    assert decisions(proxy, "trigger", "trigger") == ["forwarded", "suppressed"]
    assert upstream.executions["/alerts"] == 3


def test_a_duplicate_that_waits_gets_the_answer_of_what_it_repeats(stage):
    """Had it been forwarded, the service's last word would be the trigger."""
    finish = threading.Event()

    def handler(exchange):
        if b"trigger" in exchange.request.body:
            finish.wait()
        exchange.answer(200, {"execution": exchange.execution})

    upstream = stage.upstream(handler)
    policies = alerts(in_flight={"action": "wait", "timeout": "60s"}, scope="shared")
    del policies[0]["on_duplicate"]
    proxy = stage.proxy(upstream, policies)
    with Client(proxy.data) as first, Client(proxy.data) as second:
        first.send(event("trigger"))
        upstream.wait_for_requests(1)
        second.send(event("trigger"))
        eventually(lambda: proxy.metrics().sum("onceproxy_store_waiting") == 1, "it waits")
        assert decisions(proxy, "resolve") == ["forwarded"]
        finish.set()
        answers = first.read("POST"), second.read("POST")
    assert [answer.decision for answer in answers] == ["forwarded", "replayed"]
    assert answers[0].body == answers[1].body
    assert upstream.executions["/alerts"] == 2


def test_a_missing_field_skips_the_entry(stage, upstream):
    policies = alerts()
    policies[0]["ends"].insert(0, {"fingerprint": [{"body": "/also"}, {"const": "trigger"}]})
    proxy = stage.proxy(upstream, policies)
    assert decisions(proxy, "trigger", "resolve", "trigger") == ["forwarded"] * 3
    assert once(proxy.data, event("trigger", key="z")).decision == "forwarded"
    assert once(proxy.data, event("resolve", also="z")).decision == "forwarded"
    assert once(proxy.data, event("trigger", key="z")).decision == "forwarded"


def test_another_namespace_and_scope_can_be_named(stage, upstream):
    account = {"header": "x-account"}
    orders = {"name": "orders", "match": {"methods": ["POST"], "path": "/orders"},
              "fingerprint": [{"body": "/id"}], "scope": [account]}
    cancels = {"name": "cancels", "match": {"methods": ["POST"], "path": "/cancels"},
               "fingerprint": [{"body": "/cancel_id"}], "on_duplicate": {"status": 200},
               "ends": [{"namespace": "orders", "scope": [account], "fingerprint": [{"body": "/id"}]}]}
    proxy = stage.proxy(upstream, [orders, cancels])

    def send(target, account, **body):
        return once(proxy.data, request(target=target, body=body,
                                        headers={"X-Account": account})).decision

    assert [send("/orders", account, id=1) for account in "ab"] == ["forwarded"] * 2
    assert send("/cancels", "a", id=1, cancel_id=7) == "forwarded"
    assert [send("/orders", account, id=1) for account in "ab"] == ["forwarded", "replayed"]


def test_explain_tells_what_ends(stage, upstream):
    proxy = stage.proxy(upstream, alerts(), start=False)
    trigger = explained(proxy, event("trigger"))
    shown = run("explain", "-c", proxy.config, "-", stdin=event("resolve").decode()).stdout
    lines = [line.split(None, 1)[1] for line in shown.splitlines() if line.startswith("ends")]
    assert lines == [trigger, "nothing: it would be this operation"]

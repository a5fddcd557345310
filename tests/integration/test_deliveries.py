"""Requests that are delivered to listeners instead of forwarded: every listener of an event is notified,
or dead with a reason, and nothing of one delays another."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from harness import Client, eventually, policy, request
from harness.client import once
from harness.collector import Collector
from harness.fan_out import QUICK, dispatch, event, pending, send, states, wait_for_states
from harness.listeners import at_random, out_of_order
from harness.process import run


def test_every_listener_gets_the_event_with_a_key_of_its_own(stage, listeners, upstream):
    a, b = listeners.add("a"), listeners.add("b")
    proxy = stage.proxy(upstream, [dispatch([a, b])])
    fingerprint = send(proxy, "r1")
    wait_for_states(proxy, fingerprint, {"a": "NOTIFIED", "b": "NOTIFIED"})
    got_a, got_b = a.all()[0], b.all()[0]
    assert got_a.body == got_b.body == b'{"ride": "r1", "number": 1}'
    assert got_a.request.target == "/events"
    assert got_a.event == got_b.event and got_a.key != got_b.key
    assert not upstream.requests
    again = once(proxy.data, event("r1"))
    assert (again.status, again.decision, again.json["event"]) == (202, "replayed", fingerprint)
    assert len(a.all()) == 1


def test_credentials_reach_no_listener_that_does_not_name_them(stage, listeners, upstream):
    plain, trusted = listeners.add("plain"), listeners.add("trusted")
    named = trusted.settings(headers={"authorization": {"header": "authorization"}})
    proxy = stage.proxy(upstream, [dispatch([plain, named])])
    once(proxy.data, request(target="/rides/r1/dispatch", body={"number": 1},
                             headers={"Authorization": "Bearer s", "Cookie": "c=1"}))
    plain.wait_for(1)
    trusted.wait_for(1)
    assert plain.all()[0].request["authorization"] is None
    assert plain.all()[0].request["cookie"] is None
    assert trusted.all()[0].request["authorization"] == "Bearer s"


def test_a_delivery_is_signed_as_standard_webhooks_says(stage, listeners, upstream, directory):
    key = b"0123456789abcdef0123456789abcdef"
    file = directory / "key"
    file.write_text("whsec_" + base64.b64encode(key).decode() + "\n")
    a = listeners.add("a")
    proxy = stage.proxy(upstream, [dispatch([a], {"signing": {"key_file": str(file)}})])
    send(proxy, "r1")
    a.wait_for(1)
    got = a.all()[0].request
    signed = f"{got['webhook-id']}.{got['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got["webhook-signature"] == f"v1,{expected}"


def test_410_is_dead_at_once(stage, listeners, upstream):
    gone = listeners.add("gone", "gone")
    proxy = stage.proxy(upstream, [dispatch([gone])])
    fingerprint = send(proxy, "r1")
    wait_for_states(proxy, fingerprint, {"gone": "DEAD"})
    assert len(gone.all()) == 1


def test_retry_after_is_respected(stage, listeners, upstream):
    answers = iter(["busy", "ok"])
    a = listeners.add("a", lambda _: next(answers))
    proxy = stage.proxy(upstream, [dispatch([a])])
    send(proxy, "r1")
    eventually(lambda: len(a.all()) == 2, "a second attempt")
    first, second = a.all()
    assert second.at - first.at >= 1


def test_a_dead_letter_is_redriven_and_another_dropped(stage, listeners, upstream):
    mood = ["error"]
    a = listeners.add("a", lambda _: mood[0])
    proxy = stage.proxy(upstream, [dispatch([a.settings(backoff=QUICK, attempts=1)])])
    first, second = send(proxy, "r1"), send(proxy, "r2")
    for each in (first, second):
        wait_for_states(proxy, each, {"a": "DEAD"})
    admin = "--admin", "%s:%d" % proxy.admin
    mood[0] = "ok"
    redriven = run("dead-letters", "redrive", "--event", first, *admin)
    assert redriven.stdout == "1 will be delivered again, 0 refused\n"
    wait_for_states(proxy, first, {"a": "NOTIFIED"})
    item = proxy.operator.get(f"/deliveries?event={second}")["items"][0]
    dropped = run("dead-letters", "drop", item["delivery"], *admin)
    assert dropped.returncode == 0, dropped.stderr
    assert states(proxy, second) == {"a": "REMOVED"}
    # Nothing without a filter.
    assert run("dead-letters", "redrive", *admin).returncode == 1


def test_events_of_an_entity_arrive_in_order_whatever_fails(stage, listeners, upstream):
    flaky = listeners.add("flaky", at_random(7, 0.3, ("error", "reset", "half")))
    proxy = stage.proxy(upstream, [dispatch([flaky.settings(backoff=QUICK, attempts=100)])])
    with Client(proxy.data) as client:
        for number in range(30):
            for ride in ("r1", "r2", "r3"):
                assert client.exchange(event(ride, number)).status == 202
    flaky.wait_for(90)
    bodies = [json.loads(body) for body in flaky.bodies()]
    assert not out_of_order(bodies, lambda b: b["ride"], lambda b: b["number"])


def test_a_slow_listener_delays_no_other(stage, listeners, upstream):
    slow, quick = listeners.add("slow", "held"), listeners.add("quick")
    settings = [slow.settings(timeout="50s", max_concurrency=4), quick.settings()]
    proxy = stage.proxy(upstream, [dispatch(settings)])
    for number in range(100):
        send(proxy, f"r{number}")
    quick.wait_for(100)
    assert proxy.metrics().sum("onceproxy_deliveries_pending", listener="slow") == 100
    slow.let_go()
    slow.wait_for(100)
    assert slow.under_way_max <= 4


def test_a_circuit_opens_and_closes_again(stage, listeners, upstream):
    a = listeners.add("a")
    a.refuse()
    proxy = stage.proxy(upstream, [dispatch([a.settings(backoff=QUICK, attempts=1000)])])
    for number in range(20):
        send(proxy, f"r{number}")
    eventually(lambda: proxy.metrics().sum("onceproxy_delivery_circuit_state", listener="a") > 0,
               "an open circuit")
    a.open()
    a.wait_for(20)
    eventually(lambda: proxy.metrics().sum("onceproxy_delivery_circuit_state", listener="a") == 0,
               "a closed circuit")
    assert proxy.metrics().sum("onceproxy_deliveries_total", listener="a", result="dead") == 0


@pytest.mark.parametrize("acknowledge", ["all", {"first": 1}])
def test_the_answer_waits_for_listeners_and_names_their_states(stage, listeners, upstream,
                                                               acknowledge):
    a, b = listeners.add("a", "late"), listeners.add("b", "late")
    b.late_by = 0.2 if acknowledge == "all" else 2
    proxy = stage.proxy(upstream, [dispatch([a, b], {"acknowledge": acknowledge})])
    answer = once(proxy.data, event("r1"))
    assert (answer.status, answer.decision) == (202, "accepted")
    assert answer.json["status"] == "notified"
    found = {each["listener"]: each["state"] for each in answer.json["listeners"]}
    assert found["a"] == "NOTIFIED"
    assert found["b"] == ("NOTIFIED" if acknowledge == "all" else "PENDING")
    again = once(proxy.data, event("r1"))
    assert (again.decision, again.json) == ("replayed", answer.json)
    eventually(lambda: pending(proxy) == 0, "both notified")
    again = once(proxy.data, event("r1"))
    assert (again.decision, again.json) == ("replayed", answer.json)


def test_the_answer_names_the_states_of_many_listeners(stage, listeners, upstream):
    crew = [listeners.add(f"l{number}") for number in range(127)]
    proxy = stage.proxy(upstream, [dispatch(crew, {"acknowledge": "all"})])
    answer = once(proxy.data, event("r1"))
    assert (answer.status, answer.json["status"]) == (202, "notified")
    found = {each["listener"]: each["state"] for each in answer.json["listeners"]}
    assert found == {each.name: "NOTIFIED" for each in crew}
    again = once(proxy.data, event("r1"))
    assert (again.decision, again.json) == ("replayed", answer.json)


def test_a_duplicate_of_what_nobody_took_in_time_waits_no_more(stage, listeners, upstream):
    a = listeners.add("a", "error")
    rules = {"acknowledge": "all", "acknowledge_timeout": "2s"}
    proxy = stage.proxy(upstream, [dispatch([a.settings(backoff={"initial": "30s", "max": "30s"})],
                                            rules)])
    first = once(proxy.data, event("r1"))
    began = time.monotonic()
    again = once(proxy.data, event("r1"))
    assert time.monotonic() - began < 1.5
    assert (again.decision, again.json) == ("replayed", first.json)


def test_the_wait_for_listeners_is_bounded(stage, listeners, upstream):
    a = listeners.add("a", "error")
    rules = {"acknowledge": "all", "acknowledge_timeout": "1s"}
    proxy = stage.proxy(upstream, [dispatch([a.settings(backoff={"initial": "30s", "max": "30s"})],
                                            rules)])
    answer = once(proxy.data, event("r1"))
    assert (answer.status, answer.json["status"]) == (202, "accepted")
    assert answer.json["listeners"][0]["state"] == "FAILED"
    assert answer.json["listeners"][0]["status"] == 500


def test_what_was_pending_is_delivered_after_a_crash(stage, listeners, upstream):
    a = listeners.add("a")
    a.refuse()
    proxy = stage.proxy(upstream, [dispatch([a.settings(backoff=QUICK, attempts=1000)])])
    sent = [send(proxy, f"r{number}") for number in range(50)]
    proxy.kill9()
    a.open()
    proxy.restart()
    a.wait_for(50)
    eventually(lambda: pending(proxy) == 0, "nothing pending")
    assert {states(proxy, each)["a"] for each in sent} == {"NOTIFIED"}


def test_a_single_service_that_is_down_gets_its_request_later(stage):
    down = [True]

    def answer(exchange):
        exchange.answer(503 if down[0] else 201, b"")

    upstream = stage.upstream(answer)
    rules = {"to": "upstream", "attempts": 100}
    proxy = stage.proxy(upstream, [policy(delivery=rules)])
    accepted = once(proxy.data, request(key="k1", body={"a": 1},
                                        headers={"Authorization": "Bearer s"}))
    assert (accepted.status, accepted.decision) == (202, "accepted")
    eventually(lambda: len(upstream.requests) >= 2, "attempts")
    down[0] = False
    wait_for_states(proxy, accepted.json["event"], {"upstream": "NOTIFIED"})
    got = upstream.requests[-1]
    assert (got.method, got.target, got["authorization"]) == ("POST", "/orders", "Bearer s")
    assert got["idempotency-key"] == "k1"


def test_an_unknown_outcome_is_held_for_an_operator(stage):
    answers = iter(["lost", "ok"])

    def answer(exchange):
        if next(answers) == "lost":
            exchange.connection.close()
        else:
            exchange.answer(201, b"")

    upstream = stage.upstream(answer)
    rules = {"to": "upstream", "attempts": 5}
    proxy = stage.proxy(upstream, [policy(delivery=rules, outcome={"unknown": "hold"})])
    accepted = once(proxy.data, request(key="k1", body={"a": 1}))
    held = eventually(lambda: [each for each in proxy.operator.get("/deliveries?state=held")["items"]],
                      "a held delivery")
    assert held[0]["state"] == "FAILED" and held[0]["held"]
    assert upstream.executions.total() == 1
    redriven = run("dead-letters", "redrive", held[0]["delivery"], "--admin", "%s:%d" % proxy.admin)
    assert redriven.returncode == 0, redriven.stderr
    wait_for_states(proxy, accepted.json["event"], {"upstream": "NOTIFIED"})


def test_a_file_of_listeners_is_live(stage, listeners, upstream, directory):
    a, b = listeners.add("a"), listeners.add("b")
    file = directory / "listeners.yaml"
    file.write_text(json.dumps([a.settings()]))
    rules = dispatch([])
    rules["delivery"] = {"listeners_file": str(file)}
    proxy = stage.proxy(upstream, [rules])
    first = send(proxy, "r1")
    wait_for_states(proxy, first, {"a": "NOTIFIED"})
    file.write_text(json.dumps([a.settings(), b.settings()]))
    eventually(lambda: proxy.metrics().sum("onceproxy_delivery_listeners") == 2, "two listeners")
    second = send(proxy, "r2")
    wait_for_states(proxy, second, {"a": "NOTIFIED", "b": "NOTIFIED"})
    # What is not valid changes nothing.
    file.write_text("- name: c\n")
    eventually(lambda: any("a file of listeners is not valid" in line.get("message", "")
                           for line in proxy.stderr.json()), "the problem in the log")
    third = send(proxy, "r3")
    wait_for_states(proxy, third, {"a": "NOTIFIED", "b": "NOTIFIED"})
    assert len(a.bodies()) == 3 and len(b.bodies()) == 2


def test_what_was_given_up_is_in_the_audit_log(stage, listeners, upstream):
    a = listeners.add("a", "gone")
    proxy = stage.proxy(upstream, [dispatch([a])])
    fingerprint = send(proxy, "r1")
    wait_for_states(proxy, fingerprint, {"a": "DEAD"})
    found = eventually(lambda: proxy.operator.get("/audit?decision=dead")["items"], "an entry")
    assert found[0]["fingerprint"] == fingerprint
    assert found[0]["entity"] == "ride/r1"
    assert "listener a: status 410" in found[0]["error"]


def test_a_delivery_is_a_span_of_the_trace_of_its_request(stage, listeners, upstream):
    collector = Collector()
    try:
        a = listeners.add("a")
        proxy = stage.proxy(upstream, [dispatch([a])], tracing={"endpoint": collector.endpoint})
        trace = "0af7651916cd43dd8448eb211c80319c"
        once(proxy.data, request(target="/rides/r1/dispatch", body={"number": 1},
                                 headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}))
        a.wait_for(1)
        spans = {span.name: span for span in collector.spans(3, trace=trace)}
        delivery = spans["deliver"]
        assert delivery.kind == "client" and not delivery.failed
        assert delivery.parent == spans["POST /rides/{ride}/dispatch"].id
        assert delivery["onceproxy.listener"] == "a" and delivery["onceproxy.attempt"] == 1
        assert a.all()[0].request["traceparent"] == f"00-{trace}-{delivery.id}-01"
    finally:
        collector.close()

"""What is pending for a listener that the configuration does not name any more."""

import json

from harness import eventually, policy, request
from harness.fan_out import QUICK, dispatch, event, pending, send, states, wait_for_states
from harness.client import once

PATIENT = {"backoff": QUICK, "attempts": 1000}


def finishing(crew, **changes):
    return [dispatch([each.settings(**PATIENT) for each in crew], {"removed_listeners": "finish"},
                     **changes)]


def reload(proxy, policies):
    proxy.configure({**proxy.settings, "policies": policies})
    assert proxy.operator.post("/reload")[0] == 200


def said(proxy, text):
    return [line for line in proxy.stderr.json() if text in line.get("message", "")]


def test_a_removed_listener_is_finished_where_its_policy_says_so(stage, listeners, upstream):
    stays, goes = listeners.add("stays"), listeners.add("goes")
    goes.refuse()
    proxy = stage.proxy(upstream, finishing([stays, goes]))
    fingerprint = send(proxy, "r1")
    reload(proxy, finishing([stays]))
    assert said(proxy, "what is pending is finished")
    # An event of the new configuration does not go there.
    later = send(proxy, "r2")
    assert proxy.metrics().sum("onceproxy_delivery_listeners") == 1
    goes.open()
    wait_for_states(proxy, fingerprint, {"stays": "NOTIFIED", "goes": "NOTIFIED"})
    assert states(proxy, later).keys() == {"stays"}
    assert [each.request.target for each in goes.taken()] == ["/events"]


def test_it_is_finished_after_a_crash_as_well(stage, listeners, upstream):
    """Also where the listener was taken out while the program was down."""
    stays, goes = listeners.add("stays"), listeners.add("goes")
    goes.refuse()
    proxy = stage.proxy(upstream, finishing([stays, goes]))
    first = send(proxy, "r1")
    stays.wait_for(1)
    # What is kept is on the disk.
    proxy.terminate()
    proxy.configure({**proxy.settings, "policies": finishing([stays])})
    proxy.restart()
    proxy.kill9()
    proxy.restart()
    assert states(proxy, first)["goes"] in ("PENDING", "FAILED")
    goes.open()
    wait_for_states(proxy, first, {"stays": "NOTIFIED", "goes": "NOTIFIED"})


def test_a_listener_that_its_file_names_no_more_is_finished(stage, listeners, upstream, directory):
    stays, goes = listeners.add("stays"), listeners.add("goes")
    goes.refuse()
    file = directory / "listeners.yaml"
    file.write_text(json.dumps([each.settings(**PATIENT) for each in (stays, goes)]))
    policies = dispatch([])
    policies["delivery"] = {"listeners_file": str(file), "removed_listeners": "finish"}
    proxy = stage.proxy(upstream, [policies])
    fingerprint = send(proxy, "r1")
    file.write_text(json.dumps([stays.settings(**PATIENT)]))
    eventually(lambda: proxy.metrics().sum("onceproxy_delivery_listeners") == 1, "one listener")
    goes.open()
    wait_for_states(proxy, fingerprint, {"stays": "NOTIFIED", "goes": "NOTIFIED"})


def test_a_policy_that_is_renamed_or_gone_is_finished_too(stage, listeners, upstream):
    a = listeners.add("a")
    a.refuse()
    proxy = stage.proxy(upstream, finishing([a]))
    first = send(proxy, "r1")
    reload(proxy, finishing([a], name="renamed", namespace="renamed"))
    second = send(proxy, "r2")
    reload(proxy, [])
    assert once(proxy.data, event("r3")).status == 200  # no policy covers it
    a.open()
    for each in (first, second):
        wait_for_states(proxy, each, {"a": "NOTIFIED"})


def test_a_renamed_policy_goes_on_with_its_deliveries_to_the_upstream(stage):
    down = [True]

    def answer(exchange):
        exchange.answer(503 if down[0] else 201, b"")

    upstream = stage.upstream(answer)

    def named(name):
        return [policy(name=name, namespace="orders",
                       delivery={"to": "upstream", "attempts": 1000, "backoff": QUICK})]

    proxy = stage.proxy(upstream, named("orders"))
    accepted = once(proxy.data, request(key="k1", body={"a": 1}))
    eventually(lambda: upstream.requests, "an attempt")
    reload(proxy, named("renamed"))
    eventually(lambda: said(proxy, "what is pending is finished"), "that it is finished in the log")
    down[0] = False
    wait_for_states(proxy, accepted.json["event"], {"upstream": "NOTIFIED"})
    # The operation is the same one, too.
    assert once(proxy.data, request(key="k1", body={"a": 1})).decision == "replayed"
    # Without its namespace it is another policy.
    down[0] = True
    accepted = once(proxy.data, request(key="k2", body={"a": 1}))
    reload(proxy, [{**named("another")[0], "namespace": "another"}])
    wait_for_states(proxy, accepted.json["event"], {"upstream": "REMOVED"})


def test_what_ends_as_removed_is_told(stage, listeners, upstream):
    a, b = listeners.add("a"), listeners.add("b")
    b.refuse()
    policies = [dispatch([each.settings(**PATIENT) for each in (a, b)])]
    proxy = stage.proxy(upstream, policies)
    sent = [send(proxy, f"r{number}") for number in range(5)]
    a.wait_for(5)
    # A policy with another name: nothing is sent for the old one any more.
    reload(proxy, [{**policies[0], "name": "renamed", "namespace": "dispatch"}])
    changed = said(proxy, "what is pending ends as removed")
    assert {(each["policy"], each["listener"]) for each in changed} == {("dispatch", "a"),
                                                                         ("dispatch", "b")}
    eventually(lambda: pending(proxy) == 0, "nothing pending")
    assert {states(proxy, each)["b"] for each in sent} == {"REMOVED"}
    assert proxy.metrics().sum("onceproxy_deliveries_total", listener="b", result="removed") == 5
    eventually(lambda: sum(each["deliveries"] for each in said(proxy, "deliveries ended as removed"))
               == 5, "five in the log")
    eventually(lambda: len(proxy.operator.get("/audit?decision=removed")["items"]) == 5,
               "five in the audit log")
    # The operation itself is remembered as before.
    assert once(proxy.data, event("r0")).decision == "replayed"


def test_a_policy_that_says_remove_again_ends_what_was_being_finished(stage, listeners, upstream):
    a, b = listeners.add("a"), listeners.add("b")
    b.refuse()
    proxy = stage.proxy(upstream, finishing([a, b]))
    fingerprint = send(proxy, "r1")
    reload(proxy, finishing([a]))
    assert states(proxy, fingerprint)["b"] in ("PENDING", "FAILED")
    reload(proxy, [dispatch([a.settings(**PATIENT)])])
    wait_for_states(proxy, fingerprint, {"a": "NOTIFIED", "b": "REMOVED"})

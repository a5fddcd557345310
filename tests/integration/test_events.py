"""Requests of a policy with `delivery`: stored and acknowledged, and never forwarded while their
client waits."""

import threading

from harness import Client, crowd, policy, request
from harness.client import BrokenOff, once


def fan_out(**changes):
    """Events for two listeners that nobody needs to reach here."""
    listeners = [{"name": name, "address": "127.0.0.1:1"} for name in ("billing", "grid")]
    return policy(delivery={"listeners": listeners}, **changes)


def event(key, **body):
    return request(key=key, body=body or {"ride": key})


def test_an_event_is_acknowledged_and_its_duplicates_get_the_same(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, [fan_out()])
    first = once(proxy.data, event("k1"))
    assert (first.status, first.decision) == (202, "accepted")
    said = first.json
    record = proxy.operator.get(f"/records/{said['event']}")
    assert record["state"] == "completed" and record["status"] == 202
    assert said == {"status": "accepted", "event": said["event"],
                    "deliveries": f"/deliveries?event={said['event']}"}
    again = once(proxy.data, event("k1"))
    assert (again.status, again.decision, again.body) == (202, "replayed", first.body)
    other = once(proxy.data, event("k1", ride="another"))
    assert (other.status, other.decision) == (422, "mismatch")
    assert not upstream.requests
    proxy.decided("accepted", 1)
    assert sorted(line["decision"] for line in proxy.access_log(3)) == ["accepted", "mismatch",
                                                                        "replayed"]


def test_of_a_crowd_of_equal_requests_one_is_accepted(stage):
    proxy = stage.proxy(stage.upstream(), [fan_out(in_flight={"action": "wait"})])
    answers = crowd(proxy.data, [event("k1")] * 32)
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body for answer in answers}) == 1
    assert sorted(answer.decision for answer in answers).count("accepted") == 1


def test_an_event_that_was_acknowledged_outlives_a_kill(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, [fan_out()])
    acknowledged = {}
    killing = threading.Event()

    def send(number):
        with Client(proxy.data) as client:
            for i in range(1_000_000):
                key = f"{number}-{i}"
                try:
                    answer = client.call(key=key, body={"ride": key})
                except (BrokenOff, OSError):
                    return
                if answer.status == 202:
                    acknowledged[key] = answer.body
                if len(acknowledged) >= 200:
                    killing.set()

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for sender in senders:
        sender.start()
    assert killing.wait(60)
    proxy.kill9()
    for sender in senders:
        sender.join()
    proxy.restart()
    with Client(proxy.data) as client:
        for key, body in acknowledged.items():
            answer = client.call(key=key, body={"ride": key})
            assert (answer.status, answer.decision, answer.body) == (202, "replayed", body), key
    assert not upstream.requests


def test_events_over_the_limit_are_refused_and_counted(stage):
    proxy = stage.proxy(stage.upstream(), [fan_out()], delivery={"max_bytes": "1MiB"})
    with Client(proxy.data) as client:
        answers = [client.call(key=f"k{i}", body={"ride": "x" * 300_000}) for i in range(5)]
    assert [answer.status for answer in answers] == [202, 202, 202, 503, 503]
    assert answers[3].decision == "store-error"
    assert "delivery.max_bytes" in answers[3].json["detail"]
    assert answers[3]["Retry-After"] == "1"
    proxy.decided("store-error", 2)
    assert once(proxy.data, event("k0", ride="x" * 300_000)).decision == "replayed"
    # As the runbook says.
    proxy.configure({**proxy.settings, "delivery": {"max_bytes": "2MiB"}})
    assert proxy.operator.post("/reload")[0] == 200
    assert once(proxy.data, event("k3", ride="x" * 300_000)).status == 202


def test_an_event_closes_its_entity_at_once(stage):
    entity = {"type": "ride", "id": [{"body": "/ride"}]}
    match = {"methods": ["POST"], "path": "/decline"}
    decline = fan_out(name="decline", match=match, entity={**entity, "closes": "1h"})
    orders = fan_out(entity={**entity, "unless_closed": True})
    proxy = stage.proxy(stage.upstream(), [decline, orders])
    assert once(proxy.data, event("k1", ride="r1")).decision == "accepted"
    declined = once(proxy.data, request(target="/decline", key="k2", body={"ride": "r1"}))
    assert declined.decision == "accepted"
    assert once(proxy.data, event("k3", ride="r1")).decision == "closed"
    proxy.kill9()
    proxy.restart()
    assert once(proxy.data, event("k4", ride="r1")).decision == "closed"
    assert once(proxy.data, event("k5", ride="r2")).decision == "accepted"


def test_a_policy_in_shadow_mode_forwards(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, [fan_out(enforcement={"mode": "shadow"})])
    answer = once(proxy.data, event("k1"))
    assert (answer.status, answer.decision) == (200, "forwarded;shadow=forwarded")
    assert len(upstream.requests) == 1

"""The incident that fan-out is for, as four tests: one event went to 127 listeners one after the other; one
failed, those after it never heard of it, the list changed while it was iterated, the failure was swallowed,
and nobody learnt of it until two systems missed their events."""

import json
import threading

from harness import Client, crowd, eventually
from harness.client import once
from harness.fan_out import QUICK, dispatch, event, pending, send, states, wait_for_states
from harness.process import run

LISTENERS = 127


def test_safe_concurrent_listeners(stage, listeners, upstream):
    """Many events at once go to all 127 listeners, side by side: each gets each event once."""
    crew = [listeners.add(f"l{number}") for number in range(LISTENERS)]
    proxy = stage.proxy(upstream, [dispatch(crew)])
    answers = crowd(proxy.data, [event(f"r{number}") for number in range(20)])
    assert {answer.status for answer in answers} == {202}
    sent = {b'{"ride": "r%d", "number": 1}' % number for number in range(20)}
    eventually(lambda: pending(proxy) == 0, "nothing pending")
    for listener in crew:
        assert set(listener.bodies()) == sent, listener.name
        assert not listener.repeats(), listener.name
    assert proxy.metrics().sum("onceproxy_deliveries_total", result="notified") == 20 * LISTENERS


def test_no_broken_iteration(stage, listeners, upstream):
    """The list changes again and again while events are delivered, and one in its middle fails each time:
    those before and behind it get everything, in order."""
    crew = [listeners.add(f"l{number}", "gone" if number == 3 else "ok") for number in range(8)]
    failing = crew[3]

    def policies(names):
        return [dispatch([each.settings(backoff=QUICK, attempts=2) for each in names])]

    proxy = stage.proxy(upstream, policies(crew))
    sent = []
    over = threading.Event()

    def load():
        with Client(proxy.data) as client:
            while not over.is_set():
                answer = client.exchange(event(f"r{len(sent) % 10}", len(sent)))
                assert answer.status == 202
                sent.append(answer.json["event"])

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for change in range(20):
            proxy.configure({**proxy.settings, "policies": policies(crew[:5] + crew[5 + change % 3:])})
            assert proxy.operator.post("/reload")[0] == 200
    finally:
        over.set()
        thread.join()
    assert sent
    eventually(lambda: pending(proxy) == 0, "nothing pending")
    always = [each for each in crew[:5] if each is not failing]
    for listener in always:
        numbers = [json.loads(body)["number"] for body in listener.bodies()]
        assert len(numbers) == len(sent), listener.name
        for ride in range(10):
            of_ride = [number for number in numbers if number % 10 == ride]
            assert of_ride == sorted(of_ride), listener.name
    for fingerprint in sent:
        found = states(proxy, fingerprint)
        assert {found[each.name] for each in always} == {"NOTIFIED"}
        assert found[failing.name] == "DEAD"
        assert set(found.values()) <= {"NOTIFIED", "DEAD", "REMOVED"}


def test_async_failure_handled(stage, listeners, upstream):
    """A listener takes the connection and the request, and fails afterwards: it says nothing, resets, breaks
    its answer off. That is a failure of this one delivery, which is tried again until it has arrived."""
    later = {name: iter([name, name, "ok"]) for name in ("reset", "half", "silent")}
    crew = [listeners.add(name, lambda _, moods=moods: next(moods)) for name, moods in later.items()]
    good = listeners.add("good")
    proxy = stage.proxy(upstream, [dispatch([each.settings(backoff=QUICK, timeout="1s")
                                             for each in [*crew, good]])])
    fingerprint = send(proxy, "r1")
    wait_for_states(proxy, fingerprint, {each.name: "NOTIFIED" for each in [*crew, good]})
    found = proxy.operator.get(f"/deliveries/{fingerprint}")["items"][0]
    attempts = {each["listener"]: each["attempts"] for each in found["deliveries"]}
    assert attempts == {"reset": 3, "half": 3, "silent": 3, "good": 1}
    for listener in crew:
        assert len(listener.all()) == 3
        assert len({each.key for each in listener.all()}) == 1
    assert proxy.metrics().sum("onceproxy_delivery_retries_total") == 6


def test_completion_error_surfaced(stage, listeners, upstream):
    """A listener never takes the event. Whoever asks learns it: the client that waits for all, the ledger,
    the log, the metrics, the audit log, and the list of dead letters. The listeners behind it have it."""
    before, broken, after = (listeners.add(name, mood) for name, mood in
                             (("before", "ok"), ("broken", "error"), ("later", "ok")))
    settings = [before.settings(), broken.settings(backoff=QUICK, attempts=3), after.settings()]
    proxy = stage.proxy(upstream, [dispatch(settings, {"acknowledge": "all"})])
    answer = once(proxy.data, event("r1"))
    assert answer.status == 202
    told = {each["listener"]: each for each in answer.json["listeners"]}
    assert {name: each["state"] for name, each in told.items()} == {
        "before": "NOTIFIED", "broken": "DEAD", "later": "NOTIFIED"}
    assert (told["broken"]["attempts"], told["broken"]["status"]) == (3, 500)
    fingerprint = answer.json["event"]
    assert states(proxy, fingerprint)["broken"] == "DEAD"
    assert len(broken.all()) == 3
    assert {each.key for each in broken.all()} == {broken.all()[0].key}
    admin = "--admin", "%s:%d" % proxy.admin
    shown = run("deliveries", "show", fingerprint, *admin).stdout
    assert "before NOTIFIED · broken DEAD after 3: 500 · later NOTIFIED" in shown
    undelivered = run("deliveries", "list", "--undelivered", *admin).stdout
    assert "/broken" in undelivered and "/before" not in undelivered
    listed = run("dead-letters", "list", *admin).stdout
    assert "/broken" in listed and "500" in listed
    assert any(line.get("message") == "delivery is dead" for line in proxy.stderr.json())
    entries = eventually(lambda: proxy.operator.get("/audit?decision=dead")["items"], "an entry")
    assert entries[0]["fingerprint"] == fingerprint
    metrics = proxy.metrics()
    assert metrics.sum("onceproxy_dead_letters", listener="broken") == 1
    assert metrics.sum("onceproxy_deliveries_total", listener="broken", result="dead") == 1

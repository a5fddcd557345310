"""Real Envoys that ask onceproxy about their requests (filter ext_proc), with the configuration that deploy/envoy
ships: the same decisions, answers and records as through the data port."""

import threading

import pytest

from harness import Client, crowd, eventually, policy, request
from harness.client import once
from harness.collector import Collector
from harness.door import find
from harness.upstream import executed_after

WAIT = {"action": "wait", "timeout": "30s"}


def test_the_first_is_forwarded_and_its_duplicate_replayed(door):
    door.open()
    first = door.ask(key="a", body={"n": 1})
    again = door.ask(key="a", body={"n": 1})
    assert (first.status, first.decision, first.json) == (200, "forwarded", {"execution": 1})
    assert (again.status, again.decision, again.json) == (200, "replayed", {"execution": 1})
    assert again["idempotent-replayed"] == "true" and again["content-type"] == "application/json"
    assert first["x-request-id"] and again["x-request-id"] != first["x-request-id"]
    sent = door.upstream.requests[0]
    assert sent["onceproxy-fence"] and len(sent["onceproxy-fingerprint"]) == 64
    assert sent["x-request-id"] == first["x-request-id"]
    lines = door.proxy.access_log(2)
    assert sorted((line["decision"], line["status"], line["client"]) for line in lines) == [
        ("forwarded", 200, "127.0.0.1"), ("replayed", 200, "127.0.0.1")]


def test_both_doors_share_their_records(door):
    door.open()
    through_proxy = once(door.proxy.data, request(key="a", body={"n": 1}, target="/orders?x=1"))
    through_envoy = door.ask(key="a", body={"n": 1}, target="/orders?x=1")
    assert (through_proxy.decision, through_envoy.decision) == ("forwarded", "replayed")
    assert door.ask(key="b", body={"n": 2}, target="/./orders").decision == "forwarded"
    assert once(door.proxy.data, request(key="b", body={"n": 2}, target="/./orders")).decision == "replayed"
    assert door.upstream.executions == {"a": 1, "b": 1}


def test_what_no_policy_covers_passes_untouched(door):
    door.open()
    answer = door.ask("GET", "/other", headers={"Onceproxy-Fence": "7", "Onceproxy_Fence": "8"})
    assert answer.status == 200 and answer.decision is None
    sent = door.upstream.requests[0]
    assert sent["onceproxy-fence"] is None and sent["onceproxy_fence"] is None
    door.proxy.decided("passed", policy="")


def test_thousands_of_requests_are_asked_about_on_one_connection(door):
    """Envoy resets each of its calls once it has what it asked for, which is no flood."""
    door.open()
    with Client(door.data) as client:
        for _ in range(1000):
            assert client.call("GET", "/other").status == 200
            assert client.call(key="a").status == 200
    assert door.envoy.stat("cluster.onceproxy.upstream_cx_total") <= 2


def test_of_a_hundred_at_once_one_is_forwarded(door):
    finish = threading.Event()
    door.open(executed_after(finish), [policy(in_flight=WAIT)])
    finisher = threading.Thread(target=lambda: (door.upstream.wait_for_requests(1), finish.set()))
    finisher.start()
    answers = crowd(door.data, [request(key="a", body={"n": 1})] * 100)
    finisher.join()
    assert sorted(answer.decision for answer in answers) == ["forwarded"] + ["replayed"] * 99
    assert door.upstream.executions == {"a": 1}


def test_a_duplicate_waits_longer_than_envoys_own_patience(door):
    finish = threading.Event()

    def change(config):
        find(config, "ExternalProcessor")["message_timeout"] = "0.5s"

    door.open(executed_after(finish), [policy(in_flight=WAIT)], change)
    with Client(door.data) as first, Client(door.data) as second:
        first.send(request(key="a"))
        door.upstream.wait_for_requests(1)
        second.send(request(key="a"))
        eventually(lambda: door.envoy.stat("http.service.ext_proc.override_message_timeout_received") == 1, "more time")
        timer = threading.Timer(1.0, finish.set)  # what is claimed is that half a second passes
        timer.start()
        assert [client.read("POST").decision for client in (first, second)] == ["forwarded", "replayed"]


def test_a_duplicate_in_flight_is_refused(door):
    finish = threading.Event()
    door.open(executed_after(finish))
    with Client(door.data) as first:
        first.send(request(key="a"))
        door.upstream.wait_for_requests(1)
        second = door.ask(key="a")
        finish.set()
        assert (second.status, second.problem, second["retry-after"]) == (409, "in-flight", "1")
        assert first.read("POST").decision == "forwarded"


@pytest.mark.parametrize("of", ["policy", "upstream"])
def test_requests_take_turns(door, of):
    """One at a time: the next one waits for its turn, and is refused if that takes too long."""
    finish, one = threading.Event(), {"max_concurrency": 1}
    door.open(executed_after(finish), [policy(**(one if of == "policy" else {}))],
              forwarding={"connect_timeout": "3s", **(one if of == "upstream" else {})})
    with Client(door.data) as first:
        first.send(request(key="a"))
        door.upstream.wait_for_requests(1)
        refused = door.ask(key="b")
        assert (refused.status, refused.decision) == (503, "busy")
        with Client(door.data) as second:
            second.send(request(key="c"))
            eventually(lambda: door.proxy.metrics().sum("onceproxy_buffered_bytes", of="waiters") > 0, "a wait")
            finish.set()
            assert [client.read("POST").decision for client in (first, second)] == ["forwarded"] * 2
    assert door.ask(key="b").decision == "forwarded"
    assert door.upstream.executions == {"a": 1, "b": 1, "c": 1}


def test_another_payload_and_a_missing_key_are_refused(door):
    door.open()
    door.ask(key="a", body={"n": 1})
    assert (answer := door.ask(key="a", body={"n": 2})).status == 422 and answer.decision == "mismatch"
    assert (answer := door.ask(body={"n": 2})).status == 400 and answer.decision == "missing-key"
    assert door.ask(key="a", target="/orders/%2f").status == 400
    assert door.upstream.executions == {"a": 1}


def test_stale_closed_and_limited(door):
    entity = {"type": "job", "id": [{"body": "/job"}], "sequence": {"body": "/sequence"}}
    policies = [
        policy(name="jobs", match={"path": "/jobs"}, entity=entity,
               fingerprint=[{"body": "/job"}, {"body": "/sequence"}]),
        policy(name="ends", match={"path": "/end"}, fingerprint=[{"body": "/job"}],
               entity={"type": "job", "id": [{"body": "/job"}], "closes": "1h"}),
        policy(name="starts", match={"path": "/start"}, fingerprint=[{"body": "/job"}, {"body": "/n"}],
               entity={"type": "job", "id": [{"body": "/job"}], "unless_closed": True}),
        policy(name="limited", match={"path": "/limited"}, rate_limit={"limit": 1, "per": "1h", "by": [{"const": "x"}]}),
    ]
    door.open(policies=policies)
    assert door.ask(target="/jobs", body={"job": 1, "sequence": 5}).decision == "forwarded"
    assert door.ask(target="/jobs", body={"job": 1, "sequence": 4}).decision == "stale"
    assert door.ask(target="/end", body={"job": 1}).decision == "forwarded"
    assert door.ask(target="/start", body={"job": 1, "n": 1}).decision == "closed"
    assert door.ask(target="/limited", key="1").decision == "forwarded"
    limited = door.ask(target="/limited", key="2")
    assert (limited.status, limited.decision) == (429, "rate-limited") and int(limited["retry-after"]) > 1000


def test_a_reload_is_in_force_for_the_next_request(door):
    door.open()
    assert door.ask(key="a", target="/later").decision is None
    settings = dict(door.proxy.settings, policies=[policy(match={"path": "/later"})])
    door.proxy.configure(settings)
    assert door.proxy.operator.post("/reload")[0] == 200
    assert door.ask(key="a", target="/later").decision == "forwarded"
    assert door.ask(key="a", target="/later").decision == "replayed"


def test_shadow_mode_changes_nothing(door):
    door.open(policies=[policy(enforcement={"mode": "shadow"})])
    assert [door.ask(key="a").decision for _ in range(2)] == ["forwarded;shadow=forwarded",
                                                              "forwarded;shadow=replayed"]
    assert door.upstream.executions == {"a": 2}


def test_a_filter_that_could_enforce_nothing_is_refused(door):
    def change(config):
        find(config, "ExternalProcessor")["send_body_without_waiting_for_header_response"] = True

    door.open(change=change)
    assert door.ask(key="a", body="x").status == 500
    assert door.ask("GET", "/other").status == 200
    assert door.upstream.executions == {"/other": 1}


def test_a_filter_that_ignores_the_requested_mode_is_refused(door):
    def change(config):
        find(config, "ExternalProcessor")["processing_mode"].update(
            response_header_mode="SEND", response_body_mode="FULL_DUPLEX_STREAMED", response_trailer_mode="SEND")

    door.open(change=change)
    for body in ("x", ""):
        assert door.ask(key="a", body=body).status == 500
    assert not door.upstream.requests
    assert door.proxy.metrics().sum("onceproxy_bad_requests_total", reason="envoy-configuration") == 2


def test_a_filter_that_sends_no_heads_of_requests_is_refused(door):
    def change(config):
        find(config, "ExternalProcessor")["processing_mode"].update(request_header_mode="SKIP",
                                                                    request_body_mode="BUFFERED")

    door.open(change=change)
    assert door.ask(key="a", body="x").status == 500
    assert not door.upstream.requests
    assert door.proxy.metrics().sum("onceproxy_bad_requests_total", reason="envoy-configuration") == 1


def test_a_request_that_is_forwarded_without_a_decision_is_reported(door):
    def change(config):
        processor = find(config, "ExternalProcessor")
        processor["allow_mode_override"] = False
        del processor["allowed_override_modes"]
        processor["processing_mode"]["response_header_mode"] = "SEND"

    door.open(change=change)
    answer = door.ask(key="a", body="x")
    assert (answer.status, answer.decision) == (200, "passed")
    line, = door.proxy.access_log(1)
    assert line["policy"] == "orders" and "allow_mode_override" in line["error"]
    assert door.proxy.metrics().sum("onceproxy_bad_requests_total", reason="envoy-configuration") == 1


def test_observability_mode_watches_for_policies_in_shadow_mode(door):
    def change(config):
        processor = find(config, "ExternalProcessor")
        processor.update(observability_mode=True, allow_mode_override=False)
        del processor["allowed_override_modes"]
        processor["processing_mode"].update(request_body_mode="STREAMED", response_header_mode="SEND",
                                            response_body_mode="STREAMED")

    door.open(policies=[policy(enforcement={"mode": "shadow"})], change=change)
    for count in (1, 2):
        answer = door.ask(key="a", body={"n": 1})
        assert (answer.status, answer.decision) == (200, None)
        eventually(lambda: door.proxy.metrics().sum("onceproxy_requests_total", decision="forwarded") == count, "it is over")
    assert door.proxy.metrics().sum("onceproxy_shadow_decisions_total", decision="replayed") == 1
    assert door.upstream.executions == {"a": 2}


def test_traces_and_the_audit_log_are_those_of_the_data_port(door):
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    collector = Collector()
    door.open(tracing={"endpoint": collector.endpoint})
    assert door.ask(key="a", body={"n": 1}, headers={"traceparent": f"00-{trace}-{parent}-01"}).decision == "forwarded"
    assert door.ask(key="a", body={"n": 2}).decision == "mismatch"
    spans = collector.spans(4, trace=trace)
    assert [(span.kind, span.name) for span in spans] == [
        ("server", "POST /orders"), ("internal", "reserve"), ("client", "POST"), ("internal", "settle")]
    assert door.upstream.requests[0]["traceparent"] == f"00-{trace}-{spans[2].id}-01"
    items = {item["decision"]: item for item in door.proxy.operator.get("/audit")["items"]}
    assert (items["forwarded"]["outcome"], items["forwarded"]["status"]) == ("completed", 200)
    assert items["mismatch"]["policy"] == "orders"
    collector.close()

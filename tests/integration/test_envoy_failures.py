"""Real Envoys that ask onceproxy: services, clients and processes that fail or leave."""

import threading

import pytest

from harness import Client, eventually, policy, request
from harness.client import BrokenOff
from harness.door import find, route_of
from harness.upstream import executed, executed_after


def test_a_reset_before_the_answer_leaves_the_outcome_unknown(door):
    door.open(lambda exchange: exchange.connection.close())
    door.fails(door.ask(key="a"), 502, "upstream-unreachable", envoys=503)
    door.record("unknown")
    assert door.ask(key="a").decision == "held"
    assert door.upstream.executions == {"a": 1}


def test_an_answer_that_breaks_off_is_done_and_not_replayable(door):
    seen = threading.Event()

    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        seen.wait()
        exchange.connection.close()

    door.open(handler)
    with Client(door.data) as client:
        client.send(request(key="a"))
        while b"half" not in client.buffer:
            assert client.receive()
        seen.set()
        with pytest.raises(BrokenOff):
            client.read("POST")
    assert door.record("completed")["status"] == 200
    assert door.ask(key="a").decision == "not-replayable"
    assert door.upstream.executions == {"a": 1}


def test_a_service_that_cannot_be_reached_frees_the_key(door):
    upstream = door.stage.upstream(listening=False)
    door.open(upstream=upstream)
    door.fails(door.ask(key="a"), 502, "upstream-unreachable", envoys=503)
    if not door.told:
        door.record("unknown")
        return
    eventually(lambda: not door.records(), "the key is free")
    upstream.listen()
    assert door.ask(key="a").decision == "forwarded"


def test_a_service_without_hosts_frees_the_key(door):
    def change(config):
        config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"] = []

    door.open(change=change)
    door.fails(door.ask(key="a"), 502, "upstream-unreachable", envoys=503)
    if door.told:
        eventually(lambda: not door.records(), "the key is free")
    else:
        door.record("unknown")


def test_a_service_that_takes_too_long(door):
    finish = threading.Event()
    door.open(executed_after(finish), change=lambda config: route_of(config).update(timeout="0.5s"))
    answer = door.ask(key="a")
    finish.set()
    door.fails(answer, 504, "upstream-timeout", envoys=504)
    door.record("unknown")


def test_a_client_that_leaves_leaves_the_outcome_unknown(door):
    finish = threading.Event()
    door.open(executed_after(finish))
    with Client(door.data) as client:
        client.send(request(key="a"))
        door.upstream.wait_for_requests(1)
    door.record("unknown")
    finish.set()
    assert door.ask(key="a").decision == "held"


def test_a_client_that_leaves_within_its_body_reserves_nothing(door):
    door.open()
    with Client(door.data) as client:
        client.send(request(key="a", body="x" * 100)[:-50])
        eventually(lambda: door.envoy.stat("http.service.ext_proc.stream_msgs_sent") == 1, "the head is told")
    door.proxy.decided("bad-request")
    assert not door.records() and not door.upstream.requests


def half_an_answer(finish):
    """A handler that answers `half` by half, once more is wanted, and everything else after `finish`."""
    def handler(exchange):
        if exchange.request["idempotency-key"] == "half":
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.")
            finish.wait()
            exchange.send(b"whole")
        else:
            finish.wait()
            executed(exchange)

    return handler


def read_half(client):
    while b"half." not in client.buffer:
        assert client.receive()


def test_a_client_that_leaves_within_its_answer(door):
    finish = threading.Event()
    door.open(half_an_answer(finish))
    with Client(door.data) as client:
        client.send(request(key="half"))
        read_half(client)
    assert door.record("completed")["status"] == 200
    finish.set()
    assert door.ask(key="half").decision == "not-replayable"
    assert door.upstream.executions == {"half": 1}


def test_what_envoys_router_sends_again_is_one_admitted_request(door):
    """Why retries on covered routes are advised against: onceproxy sees one request, the service two."""
    def handler(exchange):
        if exchange.execution == 1:
            exchange.connection.close()
        else:
            executed(exchange)

    def change(config):
        route_of(config)["retry_policy"] = {"retry_on": "reset", "num_retries": 2}

    door.open(handler, change=change)
    assert door.ask(key="a").json == {"execution": 2}
    assert door.ask(key="a").decision == "replayed"
    assert door.upstream.executions == {"a": 2}


def test_a_client_cannot_have_its_request_sent_again(door):
    """Envoy's router reads these fields behind onceproxy's decision."""
    door.open(lambda exchange: exchange.answer(503))
    fields = {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3", "x-envoy-retry-grpc-on": "unavailable"}
    assert door.ask(key="a", headers=fields).status == 503
    assert len(door.upstream.requests) == 1


def test_a_connection_failure_after_a_retry_frees_nothing(door):
    def handler(exchange):
        door.upstream.go_down()

    def change(config):
        route_of(config)["retry_policy"] = {"retry_on": "reset,connect-failure", "num_retries": 1}

    door.open(handler, change=change)
    door.fails(door.ask(key="a"), 502, "upstream-unreachable", envoys=503)
    door.record("unknown")


def test_while_onceproxy_is_away_nothing_goes_through(door):
    door.open()
    door.ask(key="a")
    door.proxy.kill9()
    for target in ("/orders", "/other"):
        assert door.ask(key="b", target=target).status in (500, 503)
    assert len(door.upstream.requests) == 1


def test_onceproxy_killed_in_each_phase(door):
    """What was let through and not settled is held until its lease ends; nothing is done twice."""
    finish = threading.Event()
    door.open(half_an_answer(finish))
    with Client(door.data) as within_body, Client(door.data) as in_flight, Client(door.data) as answered:
        within_body.send(request(key="body", body="x" * 100)[:-50])
        in_flight.send(request(key="flight"))
        answered.send(request(key="half"))
        door.upstream.wait_for_requests(2)
        read_half(answered)
        door.proxy.kill9()
        assert in_flight.read("POST").status == 500
        assert within_body.read("POST").status == 500
        with pytest.raises(BrokenOff):
            answered.read("POST")
    finish.set()
    door.proxy.restart()
    door.envoy.close()
    door.put_envoy()
    assert door.ask(key="flight").decision == "held"
    assert door.ask(key="half").decision == "held"
    assert door.ask(key="body", body="x" * 100).decision == "forwarded"
    assert door.upstream.executions == {"flight": 1, "half": 1, "body": 1}


def test_a_drain_lets_what_is_under_way_end(door):
    finish = threading.Event()
    door.open(executed_after(finish))
    with Client(door.data) as client:
        client.send(request(key="a"))
        door.upstream.wait_for_requests(1)
        door.proxy.begin_drain()
        eventually(lambda: "draining" in door.proxy.stderr.text(), "the drain")
        finish.set()
        answer = client.read("POST")
    assert (answer.status, answer.decision) == (200, "forwarded")
    assert door.proxy.wait() == 0


def test_a_duplicate_that_leaves_while_it_waits_disturbs_nobody(door):
    finish = threading.Event()
    door.open(executed_after(finish), [policy(in_flight={"action": "wait", "timeout": "30s"})])
    with Client(door.data) as first:
        first.send(request(key="a"))
        door.upstream.wait_for_requests(1)
        with Client(door.data) as second:
            second.send(request(key="a"))
            eventually(lambda: door.envoy.stat("http.service.ext_proc.override_message_timeout_received") == 1, "it waits")
        eventually(lambda: door.envoy.stat("http.service.downstream_cx_active") == 1, "it is gone")
        finish.set()
        assert first.read("POST").decision == "forwarded"
    assert door.ask(key="a").decision == "replayed"
    assert door.upstream.executions == {"a": 1}


def test_an_answer_that_a_route_gives_by_itself_goes_on(door):
    """It is what whoever configured Envoy wants to say; nothing was sent, so nothing is remembered."""
    def change(config):
        routes = find(config, "HttpConnectionManager")["route_config"]["virtual_hosts"][0]["routes"]
        routes.insert(0, {"match": {"path": "/orders"},
                          "direct_response": {"status": 503, "body": {"inline_string": "closed today"}}})

    door.open(change=change)
    answer = door.ask(key="a")
    assert (answer.status, answer.body) == (503, b"closed today")
    if door.told:
        assert answer.decision == "upstream-error"
        eventually(lambda: not door.records(), "the key is free")
    else:
        door.record("unknown")

"""A process that stands still for longer than its leases: another one has taken its operations over meanwhile,
so it must neither send them nor tell anybody of what it has done."""

import threading

import grpc

from harness import Client, PATIENCE, eventually, policy, request
from harness.client import once
from harness.ext_proc import Call, connect, request_head
from harness.stopping import stopped
from harness.upstream import executed, executed_after
from harness.wall_clock import WallClock
from test_replica_failures import rules


def test_a_process_that_was_stopped_sends_nothing_after_its_leases_have_ended(stage, database):
    finish = threading.Event()

    def handler(exchange):
        if exchange.request.target == "/slow":
            finish.wait(PATIENCE)
        executed(exchange)

    upstream = stage.upstream(handler)
    limits = {"max_concurrency": 1, "connect_timeout": "60s"}
    one = stage.proxy(upstream, rules(), store=database.store(), workers=1, upstream=limits)
    other = stage.proxy(upstream, rules(), store=database.store(), workers=1)
    with Client(one.data) as first, Client(one.data) as second:
        # No policy covers it, so nothing but its answer stands between it and the next turn.
        first.send(request(target="/slow"))
        upstream.wait_for_requests(1)
        second.send(request(key="second"))
        eventually(lambda: database.value("SELECT count(*) FROM onceproxy.operations WHERE state = 1") == "1",
                   "the second request waits for its turn, with a reservation")
        with stopped(one):
            # The turn is free when the process goes on.
            finish.set()
            eventually(lambda: once(other.data, request(key="second")).decision == "forwarded",
                       "the lease is over")
        assert second.read("POST").decision != "forwarded"
    assert upstream.executions["second"] == 1


def test_a_machine_that_was_suspended_sends_nothing_after_its_leases_have_ended(stage, database, directory):
    """The clock that counts while a machine runs stands still while it is suspended."""
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    clock = WallClock(directory)
    one = stage.proxy(upstream, [policy(lease="10m")], store=database.store(), workers=1,
                      upstream={"max_concurrency": 1, "connect_timeout": "60s"}, variables=clock.variables)
    with Client(one.data) as first, Client(one.data) as second:
        first.send(request(target="/slow"))
        upstream.wait_for_requests(1)
        second.send(request(key="second"))
        eventually(lambda: database.value("SELECT count(*) FROM onceproxy.operations WHERE state = 1") == "1",
                   "the second request waits for its turn, with a reservation")
        clock.suspend(1200)
        finish.set()
        assert second.read("POST").decision != "forwarded"
    assert upstream.executions["second"] == 0


def test_a_process_that_was_stopped_tells_nobody_of_an_operation_that_another_has_done_meanwhile(
        stage, database):
    finish, seen = threading.Event(), set()

    def handler(exchange):
        key = exchange.request["idempotency-key"]
        if key not in seen:
            seen.add(key)
            finish.wait(PATIENCE)
        executed(exchange)

    upstream = stage.upstream(handler)
    one, other = [stage.proxy(upstream, rules(), store=database.store(), workers=1) for _ in range(2)]
    keys = [f"k{n}" for n in range(16)]
    clients = [Client(one.data) for _ in keys]
    for client, key in zip(clients, keys):
        client.send(request(key=key))
    upstream.wait_for_requests(len(keys))
    with stopped(one):
        # The answers have come when the process goes on.
        finish.set()
        remembered = {}

        def done_by_the_other(key):
            answer = once(other.data, request(key=key))
            remembered[key] = answer.body
            return answer.decision == "forwarded"

        for key in keys:
            eventually(lambda k=key: done_by_the_other(k), "the lease is over")
    for client, key in zip(clients, keys):
        answer = client.read("POST")
        assert answer.status != 200 or answer.body == remembered[key], (key, answer)
        client.close()
    for key in keys:
        eventually(lambda k=key: once(one.data, request(key=k)).body == remembered[k], "it is replayed")


def test_envoy_is_not_told_to_forward_after_the_leases_of_a_stopped_process_have_ended(stage, database):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    one = stage.proxy(upstream, rules(), store=database.store(), workers=1,
                      envoy={"listen": "127.0.0.1:0"},
                      upstream={"max_concurrency": 1, "connect_timeout": "60s"})
    other = stage.proxy(upstream, rules(), store=database.store(), workers=1)
    keys = [f"k{n}" for n in range(8)]
    with Client(one.data) as first, connect(one.listeners["envoy"]) as channel:
        first.send(request(target="/slow"))
        upstream.wait_for_requests(1)
        calls = [Call(channel).say(request_head(key=key)) for key in keys]
        eventually(lambda: database.value("SELECT count(*) FROM onceproxy.operations WHERE state = 1") == "8",
                   "they wait for their turns, with reservations")
        with stopped(one):
            finish.set()
            for key in keys:
                eventually(lambda k=key: once(other.data, request(key=k)).decision == "forwarded",
                           "the lease is over")
        for call in calls:
            assert forwarded_by_envoy(call) is False


def forwarded_by_envoy(call):
    """Whether a call is told to forward its request; False where its stream ends with UNAVAILABLE."""
    try:
        for message in call.answers:
            if not message.HasField("override_message_timeout"):
                assert message.HasField("request_headers"), message
                return True
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return False
    finally:
        call.finish()
    raise AssertionError("the stream ended as if all was well, and Envoy would forward")

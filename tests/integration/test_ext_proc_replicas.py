"""Several instances on one database, each with an Envoy that asks it, or with a client that speaks like one."""

import threading

import grpc
import pytest

from harness import Client, eventually, policy, request
from harness.door import Door
from harness.envoy import NEWEST
from harness.ext_proc import Call, connect, request_head, response_body, response_head
from harness.link import Link
from harness.upstream import executed_after

LEASE = 2


@pytest.fixture
def doors(stage, directory):
    made = [Door(stage, NEWEST, directory / name) for name in ("one", "other")]
    yield made
    for door in made:
        door.close()


def test_a_request_through_one_envoy_is_a_duplicate_through_another(doors, stage, database):
    finish = threading.Event()
    service = stage.upstream(executed_after(finish))
    for door in doors:
        door.directory.mkdir()
        door.open(upstream=service, store=database.store(), workers=1)
    one, other = doors
    with Client(one.data) as first:
        first.send(request(key="a"))
        service.wait_for_requests(1)
        refused = other.ask(key="a")
        assert (refused.status, refused.decision) == (409, "in-flight")
        finish.set()
        answer = first.read("POST")
        assert answer.decision == "forwarded"
    again = other.ask(key="a")
    assert (again.decision, again.body) == ("replayed", answer.body)
    assert service.executions == {"a": 1}


@pytest.mark.parametrize("phase", ["before the answer", "within the answer"])
def test_envoy_has_to_cancel_a_request_whose_lease_ends(stage, upstream, database, phase):
    """Another instance may admit the operation again from then on."""
    rules = [policy(lease=f"{LEASE}s", window="1h")]

    def instance(url):
        return stage.proxy(upstream, rules, store=database.store(url), workers=1, envoy={"listen": "127.0.0.1:0"})

    with Link(database.postgres.primary.address) as link:
        cut_off, other = instance(database.url(link.address)), instance(database.url())
        with connect(cut_off.listeners["envoy"]) as first, connect(other.listeners["envoy"]) as second:
            call = Call(first).say(request_head())
            assert call.hear().HasField("request_headers")
            if phase == "within the answer":
                assert call.say(response_head(200, end_of_stream=False)).hear().HasField("response_headers")
                assert call.say(response_body(b"x", end_of_stream=False)).hear().HasField("response_body")
            link.cut()
            assert call.status() == grpc.StatusCode.UNAVAILABLE

            def admitted():
                again = Call(second).say(request_head())
                if not again.hear().HasField("request_headers"):
                    again.cancel()
                    return False
                assert again.say(response_head(204)).hear().HasField("response_headers")
                return again.finish().status() == grpc.StatusCode.OK

            eventually(admitted, "the operation is admitted again")
        link.mend()
        # What the first instance still has to say of it changes nothing.
        eventually(lambda: cut_off.metrics().sum("onceproxy_reservations_active") == 0, "nothing is under way")
        record, = other.operator.get("/records")["items"]
        assert (record["state"], record["status"]) == ("completed", 204)

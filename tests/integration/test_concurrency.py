"""Of any number of equal requests at the same time, only one is forwarded."""

import threading

import pytest

from harness import Client, crowd, policy, request
from harness.upstream import executed, executed_after

CLIENTS = 200


def check_answers(answers, upstream, key):
    """One execution; whoever was answered got its answer, everybody else a clear refusal."""
    assert upstream.executions[key] == 1
    kinds = {"forwarded": [], "replayed": [], "in-flight": []}
    for answer in answers:
        kinds[answer.decision].append(answer)
    assert len(kinds["forwarded"]) == 1
    original = kinds["forwarded"][0]
    for answer in kinds["replayed"]:
        assert (answer.status, answer.body) == (original.status, original.body)
        assert answer["idempotent-replayed"] == "true"
    for answer in kinds["in-flight"]:
        assert answer.status == 409
        assert answer.problem == "in-flight"
        assert answer["retry-after"] == "1"
    return kinds


def test_of_200_equal_requests_at_once_one_is_forwarded(proxy, upstream):
    answers = crowd(proxy.data, [request(key="same", body={"n": 1})] * CLIENTS)
    check_answers(answers, upstream, "same")


def test_while_the_first_is_under_way_every_other_is_refused(stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream)
    with Client(proxy.data) as first:
        first.send(request(key="same", body={"n": 1}))
        upstream.wait_for_requests(1)
        refused = crowd(proxy.data, [request(key="same", body={"n": 1})] * (CLIENTS - 1))
        finish.set()
        answers = refused + [first.read("POST")]
    kinds = check_answers(answers, upstream, "same")
    assert len(kinds["in-flight"]) == CLIENTS - 1
    assert crowd(proxy.data, [request(key="same", body={"n": 1})])[0].decision == "replayed"


def test_different_keys_do_not_hold_each_other_up(stage):
    """A barrier in the upstream: it answers nobody until all of them are there."""
    count = 50
    barrier = threading.Barrier(count)

    def together(exchange):
        barrier.wait(30)
        executed(exchange)

    upstream = stage.upstream(together)
    proxy = stage.proxy(upstream)
    answers = crowd(proxy.data, [request(key=f"key-{n}", body={"n": n}) for n in range(count)])
    assert [answer.decision for answer in answers] == ["forwarded"] * count
    assert set(upstream.executions.values()) == {1}


def test_many_keys_sent_many_times_at_once_execute_once_each(proxy, upstream):
    keys = [f"key-{n}" for n in range(40)]
    answers = crowd(proxy.data, [request(key=key, body={"k": key}) for key in keys * 5])
    assert upstream.executions == {key: 1 for key in keys}
    for at, key in enumerate(keys):
        check_answers(answers[at :: len(keys)], upstream, key)


@pytest.mark.parametrize("sync", ["all", "reservations", "none"])
def test_every_durability_setting_forwards_one(stage, upstream, sync):
    proxy = stage.proxy(upstream, store={"rocksdb": {"sync": sync}})
    answers = crowd(proxy.data, [request(key="same", body={"n": 1})] * 50)
    check_answers(answers, upstream, "same")


def test_two_policies_with_one_namespace_share_fingerprints(stage, upstream):
    policies = [
        policy(name="old", namespace="orders"),
        policy(name="new", namespace="orders", match={"path": "/v2/orders"}),
    ]
    for each in policies:
        each["payload"] = [{"content": True}]
    proxy = stage.proxy(upstream, policies)
    old = request(target="/orders", key="same", body={"n": 1})
    new = request(target="/v2/orders", key="same", body={"n": 1})
    answers = crowd(proxy.data, [old, new] * 20)
    check_answers(answers, upstream, "same")

"""What an upstream's status says about the operation."""

import pytest

from harness import policy, request
from harness.client import once


@pytest.fixture
def script(stage):
    """Answers with the listed statuses, one after the other, then 200."""
    statuses = []

    def scripted(exchange):
        status = statuses[exchange.execution - 1] if exchange.execution <= len(statuses) else 200
        exchange.answer(status, f"answer {exchange.execution}")

    upstream = stage.upstream(scripted)

    def start(*given, **changes):
        statuses.extend(given)
        return stage.proxy(upstream, [policy(**changes)]), upstream

    return start


def send(proxy):
    return once(proxy.data, request(key="a"))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 599])
def test_a_releasing_status_frees_the_key_at_once(script, status):
    proxy, upstream = script(status)
    first = send(proxy)
    assert (first.status, first.decision, first.body) == (status, "forwarded", b"answer 1")
    second = send(proxy)
    assert (second.status, second.decision, second.body) == (200, "forwarded", b"answer 2")
    assert send(proxy).decision == "replayed"
    assert upstream.executions["a"] == 2


@pytest.mark.parametrize("status", [502, 504])
def test_an_ambiguous_status_is_as_unknown_as_no_answer(script, status):
    proxy, upstream = script(status, lease="60s")
    first = send(proxy)
    assert (first.status, first.body) == (status, b"answer 1"), "the client gets what was answered"
    second = send(proxy)
    assert (second.status, second.decision, second.problem) == (409, "held", "outcome-unknown")
    assert 1 <= int(second["retry-after"]) <= 60
    assert upstream.executions["a"] == 1


@pytest.mark.parametrize("status", [200, 201, 202, 301, 400, 401, 404, 409, 422])
def test_every_other_status_completes_and_is_replayed(script, status):
    proxy, upstream = script(status)
    first, second = send(proxy), send(proxy)
    assert (first.status, first.decision) == (status, "forwarded")
    assert (second.status, second.decision, second.body) == (status, "replayed", first.body)
    assert upstream.executions["a"] == 1


def test_204_completes_and_is_replayed_without_a_body(script):
    proxy, upstream = script(204)
    assert (send(proxy).status, send(proxy).status) == (204, 204)
    assert upstream.executions["a"] == 1


def test_a_policy_names_its_own_releasing_and_ambiguous_statuses(script):
    proxy, upstream = script(409, 500, 503, outcome={"release": [409, 503], "ambiguous": ["5xx"]},
                             lease="60s")
    assert send(proxy).status == 409
    assert send(proxy).status == 500
    assert send(proxy).decision == "held", "500 is ambiguous by its class"


def test_a_single_status_wins_over_a_class(script):
    proxy, _ = script(503, outcome={"release": [503], "ambiguous": ["5xx"]}, lease="60s")
    assert send(proxy).status == 503
    assert send(proxy).decision == "forwarded"


def test_the_reservations_gauge_comes_back_to_zero(script):
    proxy, _ = script(503, 502, 200, lease="60s")
    for _ in range(3):
        send(proxy)
    assert proxy.metrics().sum("onceproxy_reservations_active") == 0

"""What an upstream's status says about the operation."""

import json

import pytest

from harness import Client, policy, request
from harness.client import once

RELEASED = [307, 308, 401, 407, 408, 412, 417, 421, 425, 428, 429, 500, 503, 599]


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


@pytest.mark.parametrize("status", RELEASED)
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


@pytest.mark.parametrize("status", [200, 201, 202, 301, 302, 303, 400, 403, 404, 409, 422])
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


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirected_request_is_executed_at_its_new_place_under_the_same_key(stage, status):
    def moved(exchange):
        if exchange.request.target == "/orders":
            exchange.answer(status, b"", {"Location": "/orders/"})
        else:
            exchange.answer(201, b"made")

    upstream = stage.upstream(moved, key=lambda request: request.target)
    proxy = stage.proxy(upstream, [policy(match={"path": "/orders/**"})])
    with Client(proxy.data) as client:
        first = client.call("POST", "/orders", key="a", body={"item": 1})
        assert (first.status, first["location"]) == (status, "/orders/")
        again = [client.call("POST", "/orders/", key="a", body={"item": 1}) for _ in range(2)]
    assert [answer.status for answer in again] == [201, 201]
    assert [answer.decision for answer in again] == ["forwarded", "replayed"]
    assert upstream.executions == {"/orders": 1, "/orders/": 1}


CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", nonce="n1"'}


def challenging(exchange):
    if exchange.request["authorization"]:
        exchange.answer(201, b"made")
    else:
        exchange.answer(401, b"who are you", CHALLENGE)


# What a scope by credentials makes of a first attempt without them is up to the policy.
SCOPES = [dict(scope="shared"),
          dict(scope=[{"header": "authorization", "default": ""}]),
          dict(scope=[{"header": "authorization"}], on_missing="pass")]


@pytest.mark.parametrize("changes", SCOPES, ids=["shared", "default", "pass"])
def test_a_client_that_answers_a_challenge_with_the_same_key_gets_in(stage, changes):
    upstream = stage.upstream(challenging)
    proxy = stage.proxy(upstream, [policy(**changes)])
    with Client(proxy.data) as client:
        # Digest clients probe without the body.
        probe = client.call("POST", "/orders", key="a", body=b"")
        assert (probe.status, probe["www-authenticate"]) == (401, CHALLENGE["WWW-Authenticate"])
        known = {"Authorization": 'Digest username="u", nonce="n1"'}
        again = [client.call("POST", "/orders", key="a", body={"item": 1}, headers=known)
                 for _ in range(2)]
    assert [answer.decision for answer in again] == ["forwarded", "replayed"]
    assert [answer.status for answer in again] == [201, 201]
    assert upstream.executions["a"] == 2


def test_a_scope_by_credentials_refuses_the_first_attempt_without_them(stage):
    upstream = stage.upstream(challenging)
    proxy = stage.proxy(upstream, [policy(scope=[{"header": "authorization"}])])
    refused = once(proxy.data, request(key="a"))
    assert (refused.status, refused.decision) == (400, "missing-key")
    assert "header: authorization" in json.loads(refused.body)["detail"]
    known = {"Authorization": "Bearer 1"}
    assert once(proxy.data, request(key="a", headers=known)).status == 201


def test_a_token_refreshed_between_two_attempts_makes_the_retry_somebody_elses(stage):
    """What the documentation warns of, so that it stays true."""
    upstream = stage.upstream(challenging)
    proxy = stage.proxy(upstream, [policy(scope=[{"header": "authorization"}])])
    tokens = [{"Authorization": f"Bearer {n}"} for n in (1, 2)]
    assert [once(proxy.data, request(key="a", headers=token)).decision
            for token in tokens] == ["forwarded", "forwarded"]
    assert upstream.executions["a"] == 2


@pytest.mark.parametrize("status, name", [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")])
def test_a_challenge_that_is_kept_is_replayed_with_its_challenge(stage, status, name):
    upstream = stage.upstream(
        lambda exchange: exchange.answer(status, b"no", {name: 'Basic realm="r"'}))
    proxy = stage.proxy(upstream, [policy(
        outcome={"release": []},
        replay={"drop_headers": ["www-authenticate", "proxy-authenticate"]})])
    first, second = send(proxy), send(proxy)
    assert (first.decision, second.decision) == ("forwarded", "replayed")
    assert first[name] == second[name] == 'Basic realm="r"'
    assert upstream.executions["a"] == 1

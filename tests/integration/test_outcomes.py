"""What the status of the service's answer means for the operation."""

import gzip
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


ERRORS = [{"where": [{"body": "/errors", "present": True}, {"body": "/data", "present": False}],
           "is": "release"}]


def sequence(stage, answers, **changes):
    """Sends one operation once for each answer, and once more; the decisions and the service."""
    def handler(exchange):
        number = exchange.execution - 1
        exchange.answer(*answers[number]) if number < len(answers) else exchange.answer(200, b"ok")

    upstream = stage.upstream(handler)
    proxy = stage.proxy(upstream, [policy(lease="60s", **changes)])
    return [send(proxy).decision for _ in range(len(answers) + 1)], proxy


def test_a_failure_inside_a_200_is_released_by_a_rule(stage):
    refused, done = {"errors": [1]}, {"errors": [1], "data": {}}
    decisions, _ = sequence(stage, [(200, refused), (200, done)], outcome={"rules": ERRORS})
    assert decisions == ["forwarded", "forwarded", "replayed"]


def test_the_first_rule_that_applies_decides_before_the_statuses(stage):
    rules = [{"where": {"header": "x-done", "present": True}, "is": "complete"},
             {"where": {"status": [404, 409]}, "is": "release"},
             {"where": [{"status": "4xx"}, {"header": "x-error", "regex": "E[0-9]+"}],
              "is": "ambiguous"}]
    answers = [(409, b"no"), (404, b"no"), (400, b"no", {"X-Error": "E17"})]
    decisions, proxy = sequence(stage, answers, outcome={"rules": rules})
    assert decisions == ["forwarded"] * 3 + ["held"]
    record = proxy.operator.get("/records")["items"][0]
    assert record["error"] == "ambiguous by outcome.rules[2]"


def test_a_rule_that_completes_wins_over_a_releasing_status(stage):
    rules = [{"where": {"header": "x-done", "present": True}, "is": "complete"}]
    decisions, _ = sequence(stage, [(503, b"done", {"X-Done": "1"})], outcome={"rules": rules})
    assert decisions == ["forwarded", "replayed"]


def test_a_legacy_error_text_is_a_rule_on_the_content(stage):
    rules = [{"where": {"content": True, "regex": "ERROR.*"}, "is": "release"}]
    answers = [(200, b"ERROR 17", {"Content-Type": "text/plain"})]
    decisions, _ = sequence(stage, answers, outcome={"rules": rules})
    assert decisions == ["forwarded", "forwarded"]


LARGE = b'{"errors": [], "more": "' + b"x" * 2000 + b'"}'
UNREADABLE = {
    "larger than what is kept": (LARGE, {}),
    "an unknown coding": (b"x", {"Content-Encoding": "br"}),
    "broken off inside": (b'{"errors": [1', {"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("body, headers", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("status, then", [(503, "held"), (200, "done")])
def test_where_a_body_cannot_be_asked_a_releasing_status_is_ambiguous(stage, body, headers, status,
                                                                      then):
    decisions, proxy = sequence(stage, [(status, body, headers)],
                                outcome={"rules": ERRORS}, replay={"max_body": "1KiB"})
    done = "not-replayable" if body is LARGE else "replayed"
    assert decisions == ["forwarded", done if then == "done" else then]
    if then == "held":
        record = proxy.operator.get("/records")["items"][0]
        assert record["error"].startswith("a rule of outcome.rules could not be evaluated: The body")


def test_a_compressed_answer_is_decoded_for_its_rules(stage):
    body = gzip.compress(b'{"errors": [1]}')
    answers = [(200, body, {"Content-Encoding": "gzip", "Content-Type": "application/json"})]
    decisions, _ = sequence(stage, answers, outcome={"rules": ERRORS})
    assert decisions == ["forwarded", "forwarded"]


def test_the_answer_is_kept_as_far_as_the_override_says(stage):
    upstream = stage.upstream(lambda exchange: exchange.answer(200, b"x" * 3000))
    proxy = stage.proxy(upstream, [policy(
        replay={"max_body": "1KiB"},
        overrides=[{"where": {"header": "x-large", "present": True}, "replay": {"max_body": "4KiB"}}])])
    large = [once(proxy.data, request(key="a", headers={"X-Large": "1"})) for _ in range(2)]
    small = [once(proxy.data, request(key="b")) for _ in range(2)]
    assert [answer.decision for answer in large] == ["forwarded", "replayed"]
    assert [answer.decision for answer in small] == ["forwarded", "not-replayable"]


def test_a_condition_may_ask_that_a_field_is_missing(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, [policy(match={
        "headers": {"x-test": {"present": False}},
        "where": [{"body": "/dry_run", "present": False}]})])
    asked = [dict(), dict(headers={"X-Test": "1"}), dict(body={"dry_run": None}), dict(body=b"text")]
    covered = [once(proxy.data, request(key=f"k{number}", **each)).decision is not None
               for number, each in enumerate(asked)]
    assert covered == [True, False, False, True]

"""`respond` for errors outside a policy's own rules, and refusals that name the setting that causes them."""

import pytest

from harness import Client, policy, request
from harness.client import once

OWN = {"upstream-error": {"status": 503, "headers": {"retry-after": 7}, "body": "later"},
       "bad-request": {"status": 200, "body": "taken"}}


def own(**changes):
    return policy(respond=OWN, **changes)


def lost(exchange):
    exchange.connection.reset()


def test_a_service_that_is_down_is_answered_as_the_policy_says(stage):
    proxy = stage.proxy(stage.upstream(listening=False), [own()])
    answer = once(proxy.data, request(key="a"))
    assert (answer.status, answer.decision, answer.body) == (503, "upstream-error", b"later")
    assert answer["retry-after"] == "7"
    uncovered = once(proxy.data, request(key="a", target="/uncovered"))
    assert (uncovered.status, uncovered.problem) == (502, "upstream-unreachable")
    assert sorted(line["status"] for line in proxy.access_log(2)) == [502, 503]


def test_so_is_a_service_that_does_not_answer(stage):
    proxy = stage.proxy(stage.upstream(lost), [own()])
    answer = once(proxy.data, request(key="a"))
    assert (answer.status, answer.decision, answer.body) == (503, "upstream-error", b"later")
    # The outcome is unknown, whatever the answer says.
    assert once(proxy.data, request(key="a")).decision == "held"


def test_an_override_has_its_own_words(stage):
    other = {"where": {"header": "x-kind", "equals": "b"},
             "respond": {"upstream-error": {"status": 202, "body": "other"}}}
    proxy = stage.proxy(stage.upstream(lost), [own(overrides=[other])])
    answer = once(proxy.data, request(key="a", headers={"X-Kind": "b"}))
    assert (answer.status, answer.decision, answer.body) == (202, "upstream-error", b"other")


def test_a_refused_body_is_answered_as_the_policy_says(stage, upstream):
    proxy = stage.proxy(upstream, [own()], limits={"body_bytes": "1KiB"})
    answer = once(proxy.data, request(key="a", body=b"b" * 2000))
    assert (answer.status, answer.decision, answer.body) == (200, "bad-request", b"taken")
    assert answer.closes
    chunked = (b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: b\r\n"
               b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
    answer = once(proxy.data, chunked, "POST")
    assert (answer.status, answer.decision) == (200, "bad-request")
    assert not upstream.requests


def test_shadow_mode_does_not_use_the_policys_answers(stage):
    watched = {"enforcement": {"mode": "shadow"}}
    proxy = stage.proxy(stage.upstream(lost), [own(**watched)])
    answer = once(proxy.data, request(key="a"))
    assert (answer.status, answer.problem) == (502, "upstream-unreachable")


def test_unprotected_requests_are_answered_as_the_policy_says_too(stage):
    proxy = stage.proxy(stage.upstream(listening=False), [own(on_missing="pass")])
    answer = once(proxy.data, request())
    assert (answer.status, answer.decision, answer.body) == (503, "upstream-error", b"later")


def test_a_turn_that_does_not_come_is_busy_in_the_policy_s_words(stage):
    upstream = stage.upstream(lambda exchange: exchange.connection.closed_by_proxy())
    busy = policy(respond={"busy": {"status": 202, "body": "full"}}, max_concurrency=1)
    proxy = stage.proxy(upstream, [busy], upstream={"connect_timeout": "50ms"})
    with Client(proxy.data) as first:
        first.send(request(key="a"))
        upstream.wait_for_requests(1)
        answer = once(proxy.data, request(key="b"))
        assert (answer.status, answer.decision, answer.body) == (202, "busy", b"full")
    upstream.connections[0].close()


@pytest.mark.parametrize("sent, setting", [
    (request(key="a", body=b"b" * 2000), "limits.body_bytes"),
    (request(target="/a%2Fb"), "limits.encoded_slashes: pass"),
    (request("GET", headers={"X-A": "a" * 2000}), "limits.head_bytes"),
    (request("GET", "/" + "a" * 2000), "limits.head_bytes"),
], ids=["413", "an encoded slash", "431", "414"])
def test_a_refusal_names_the_setting_that_allows_it(stage, upstream, sent, setting):
    proxy = stage.proxy(upstream, limits={"body_bytes": "1KiB", "head_bytes": "1KiB"})
    answer = once(proxy.data, sent)
    assert answer.problem == "bad-request"
    assert setting in answer.json["detail"]
    assert setting in proxy.access_log(1)[0]["error"]

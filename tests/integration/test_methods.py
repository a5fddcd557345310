"""Methods and operations: HEAD and GET are different operations, and a service may apply another method than
that of the request line."""

import pytest

from harness import policy, request
from harness.client import once

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_head_and_get_are_two_operations(stage):
    def report(exchange):
        body = b"" if exchange.request.method == "HEAD" else b"report"
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + body)

    upstream = stage.upstream(report)
    for payload in ({}, {"payload": [{"method": True}]}):
        proxy = stage.proxy(upstream, [policy(match={"methods": ["GET", "HEAD"]},
                                              fingerprint=[{"query": "id"}], **payload)])
        for first, second in (("HEAD", "GET"), ("GET", "HEAD")):
            target = f"/orders?id={first}"
            for decision in ("forwarded", "replayed"):
                for method in (first, second):
                    answer = once(proxy.data, request(method, target), method)
                    assert (answer.status, answer.decision) == (200, decision)
                    assert answer.body == (b"report" if method == "GET" else b"")


@pytest.fixture
def minding(stage, upstream):
    return stage.proxy(upstream, [policy(match={"methods": ["DELETE"], "method_override": True})])


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "x-method-override"])
def test_a_policy_may_mind_the_method_that_overrides(minding, name):
    assert once(minding.data, request(key="a", headers={name: "delete"})).decision == "forwarded"
    assert once(minding.data, request(key="a", headers={name: "DELETE"})).decision == "replayed"
    assert once(minding.data, request(key="a", headers={name: "PUT"})).decision is None
    assert once(minding.data, request(key="a")).decision is None
    own = request("DELETE", key="b", headers={name: "GET"})
    assert once(minding.data, own).decision == "forwarded"


def test_a_form_and_a_query_may_override_too(minding):
    for target, body in (("/orders?_method=DELETE", b""), ("/orders", b"a=1&_method=delete")):
        answer = once(minding.data, request(target=target, key=target + "k", headers=FORM, body=body))
        assert answer.decision == "forwarded", target
    plain = once(minding.data, request(key="c", headers=FORM, body=b"a=1&_method=PUT"))
    assert (plain.status, plain.decision) == (200, None)
    unreadable = {**FORM, "Content-Encoding": "gzip"}
    refused = once(minding.data, request(key="d", headers=unreadable, body=b"_method=PUT"))
    assert (refused.status, refused.decision) == (400, "unreadable")


def test_without_method_override_the_requests_own_method_counts(stage, upstream):
    proxy = stage.proxy(upstream, [policy(match={"methods": ["DELETE"]})])
    overridden = request(key="a", headers={"X-HTTP-Method-Override": "DELETE"})
    assert once(proxy.data, overridden).decision is None


def test_a_request_and_one_that_stands_for_another_method_differ(stage, upstream):
    both = policy(match={"methods": ["POST", "DELETE"], "method_override": True})
    proxy = stage.proxy(upstream, [both])
    assert once(proxy.data, request(key="a")).decision == "forwarded"
    overridden = request(key="a", headers={"X-HTTP-Method-Override": "DELETE"})
    assert once(proxy.data, overridden).decision == "mismatch"


def test_connection_cannot_drop_the_overriding_method(minding, upstream):
    headers = {"X-HTTP-Method-Override": "DELETE", "Connection": "x-http-method-override"}
    answer = once(minding.data, request(key="a", headers=headers))
    assert (answer.decision, upstream.requests[0]["x-http-method-override"]) == (None, None)
    twin = once(minding.data, request(key="a", headers={"X_HTTP_Method_Override": "DELETE"}))
    assert (twin.decision, upstream.requests[1]["x_http_method_override"]) == (None, None)

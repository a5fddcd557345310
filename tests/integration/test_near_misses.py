"""A policy that covers nothing because of a mistake is visible: requests that it nearly covers are
counted."""

import pytest

from harness import policy, request
from harness.client import once

MATCH = {"methods": ["POST"], "path": "/orders/{id}", "headers": {"content-type": "application/json"},
         "where": [{"body": "/kind", "equals": "new"}]}
GOOD = {"method": "POST", "target": "/orders/7", "body": b'{"kind":"new"}', "key": "k",
        "headers": {"Content-Type": "application/json"}}


@pytest.fixture
def proxy(stage, upstream):
    return stage.proxy(upstream, [policy(match=MATCH)])


def missed(proxy, reason):
    metrics = proxy.metrics()
    assert ("onceproxy_near_misses_total",
            frozenset({("policy", "orders"), ("reason", reason)})) in metrics.samples
    return metrics.sum("onceproxy_near_misses_total", policy="orders", reason=reason)


@pytest.mark.parametrize("reason, change", [
    ("method", {"method": "PUT"}),
    ("header", {"headers": {"Content-Type": "text/json"}}),
    ("condition", {"body": b'{"kind":"old"}'}),
    ("path", {"target": "/api/orders/7"}),
])
def test_a_request_that_nearly_fits_is_counted_by_what_does_not(proxy, reason, change):
    assert missed(proxy, reason) == 0, "shown before the first"
    assert once(proxy.data, request(**{**GOOD, **change})).decision is None
    assert missed(proxy, reason) == 1


def test_covered_and_unrelated_requests_are_no_near_misses(proxy):
    assert once(proxy.data, request(**GOOD)).decision == "forwarded"
    for other in ({"method": "GET"}, {"target": "/invoices/7"}):
        assert once(proxy.data, request(**{**GOOD, **other})).decision is None
    assert proxy.metrics().sum("onceproxy_near_misses_total") == 0


def test_many_at_once_are_a_sample(proxy):
    for _ in range(50):
        once(proxy.data, request(**{**GOOD, "method": "PUT"}))
    assert 1 <= missed(proxy, "method") <= 50


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "Application/JSON"])
def test_media_types_are_compared_as_such(proxy, media):
    asked = request(**{**GOOD, "headers": {"Content-Type": media}})
    assert [once(proxy.data, asked).decision for _ in range(2)] == ["forwarded", "replayed"]

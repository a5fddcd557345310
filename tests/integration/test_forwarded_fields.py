"""The header fields that the service gets, and that clients cannot forge."""

import re

import pytest

from harness import Client, policy, request
from harness.client import once


def sent(proxy, upstream, **kwargs):
    kwargs.setdefault("key", "a")
    answer = once(proxy.data, request(**kwargs))
    assert answer.status == 200, answer
    return upstream.requests[-1]


def test_a_forwarded_request_carries_its_fingerprint_and_a_rising_fence(proxy, upstream):
    one = sent(proxy, upstream, key="a")
    two = sent(proxy, upstream, key="b")
    assert re.fullmatch("[0-9a-f]{64}", one["onceproxy-fingerprint"])
    assert one["onceproxy-fingerprint"] != two["onceproxy-fingerprint"]
    assert int(two["onceproxy-fence"]) > int(one["onceproxy-fence"]) > 0


@pytest.mark.parametrize("end", ["kill9", "terminate"])
def test_fences_rise_across_a_restart(proxy, upstream, end):
    before = int(sent(proxy, upstream, key="a")["onceproxy-fence"])
    getattr(proxy, end)()
    proxy.restart()
    assert int(sent(proxy, upstream, key="b")["onceproxy-fence"]) > before


def test_one_operation_has_one_fingerprint_for_ever(stage, upstream):
    """A renamed policy with the old one's namespace keeps its keys."""
    one = sent(stage.proxy(upstream, [policy(namespace="n")]), upstream)
    two = sent(stage.proxy(upstream, [policy(name="renamed", namespace="n")]), upstream)
    assert one["onceproxy-fingerprint"] == two["onceproxy-fingerprint"]


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_a_client_cannot_forge_the_proxys_own_fields(proxy, upstream, target):
    forged = {"Onceproxy-Fingerprint": "f" * 64, "onceproxy-fence": "999999999",
              "Onceproxy-Anything": "x"}
    seen = sent(proxy, upstream, target=target, headers=forged)
    ours = {name.lower(): value for name, value in seen.headers if "onceproxy" in name.lower()}
    assert "f" * 64 not in ours.values() and "999999999" not in ours.values()
    assert "onceproxy-anything" not in ours
    assert len(ours) == (2 if target == "/orders" else 0)


def test_an_upstream_cannot_forge_a_decision(stage):
    forged = {"Onceproxy-Decision": "replayed", "Onceproxy-X": "1"}
    upstream = stage.upstream(lambda exchange: exchange.answer(200, b"", forged))
    proxy = stage.proxy(upstream)
    first = once(proxy.data, request(key="a"))
    assert (first.decision, first["onceproxy-x"]) == ("forwarded", None)
    assert once(proxy.data, request(key="a"))["onceproxy-x"] is None
    assert once(proxy.data, request(target="/uncovered")).decision in (None, "passed")


def test_a_request_id_is_made_when_there_is_none(proxy, upstream):
    one, two = sent(proxy, upstream, key="a"), sent(proxy, upstream, key="b")
    assert one["x-request-id"] and two["x-request-id"]
    assert one["x-request-id"] != two["x-request-id"]


def test_a_request_id_is_kept(proxy, upstream):
    assert sent(proxy, upstream, headers={"X-Request-Id": "mine-1"})["x-request-id"] == "mine-1"


def test_forwarded_fields_name_the_client(proxy, upstream):
    seen = sent(proxy, upstream, host="shop.example:8443")
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == "shop.example:8443"
    assert seen["host"] == "shop.example:8443"


def test_forwarded_for_is_appended_to(proxy, upstream):
    seen = sent(proxy, upstream, headers={"X-Forwarded-For": "203.0.113.7"})
    assert [v.strip() for v in ",".join(seen.all("x-forwarded-for")).split(",")] == [
        "203.0.113.7", "127.0.0.1"]


def test_the_upstream_gets_the_remaining_time(stage, upstream):
    proxy = stage.proxy(upstream, upstream={"response_timeout": "7s"})
    assert sent(proxy, upstream)["x-envoy-expected-rq-timeout-ms"] == "7000"


def test_hop_by_hop_fields_stay_on_their_hop(proxy, upstream):
    hop = {"Connection": "keep-alive, X-Mine", "X-Mine": "1", "Keep-Alive": "timeout=5",
           "Proxy-Connection": "keep-alive", "TE": "trailers", "X-Stays": "1"}
    seen = sent(proxy, upstream, headers=hop)
    for name in ("x-mine", "keep-alive", "proxy-connection", "te"):
        assert seen[name] is None, name
    assert seen["x-stays"] == "1"


def test_hop_by_hop_fields_of_an_answer_stay_there_too(stage):
    hop = {"Connection": "X-Mine", "X-Mine": "1", "Keep-Alive": "timeout=5", "X-Stays": "1"}
    upstream = stage.upstream(lambda exchange: exchange.answer(200, b"", hop))
    answer = once(stage.proxy(upstream).data, request(key="a"))
    assert (answer["x-mine"], answer["keep-alive"], answer["x-stays"]) == (None, None, "1")


@pytest.mark.parametrize(
    "name",
    ["Host", "Content-Length", "Content-Type", "Authorization", "Cookie", "Idempotency-Key",
     "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Onceproxy-Fence"],
)
@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_connection_cannot_name_a_field_that_is_for_everybody(proxy, upstream, name, target):
    refused = once(proxy.data, request(key="a", target=target, headers={"Connection": name}))
    assert (refused.status, refused.problem) == (400, "bad-request")
    assert upstream.bytes_received == 0


READS = {
    "a fingerprint": {"fingerprint": [{"header": "x-read"}]},
    "a client's key": {"fingerprint": [{"client_key": "X-Read"}]},
    "a field that stands in": {"fingerprint": [{"query": "q", "otherwise": {"header": "x-read"}}]},
    "a default": {"fingerprint": [{"header": "x-read", "default": "none"}]},
    "a scope": {"scope": [{"header": "x-read"}]},
    "a payload": {"payload": [{"header": "x-read"}]},
    "a condition": {"match": {"where": [{"header": "x-read", "equals": "1"}]}},
    "a condition on headers": {"match": {"headers": {"x-read": "1"}}},
    "an entity": {"entity": {"type": "order", "id": [{"header": "x-read"}]}},
    "a rate limit": {"rate_limit": {"limit": 9, "per": "1h", "by": [{"header": "x-read"}]}},
    "an override": {"overrides": [{"where": {"header": "x-read", "equals": "1"}, "window": "5m"}]},
}


@pytest.mark.parametrize("read", READS)
def test_connection_cannot_name_a_field_that_a_policy_reads(stage, upstream, read):
    proxy = stage.proxy(upstream, [policy(**READS[read])])
    named = {"X-Read": "1", "Connection": "keep-alive, x-read"}
    refused = once(proxy.data, request(key="a", headers=named))
    if read != "a condition on headers":
        # Without the field the policy does not cover the request, and the service has it without.
        assert (refused.status, refused.problem) == (400, "bad-request")
        assert upstream.bytes_received == 0
    else:
        assert (refused.status, refused.decision) == (200, None)
        assert upstream.requests[0]["x-read"] is None
    assert once(proxy.data, request(key="a", headers={"X-Read": "1"})).decision == "forwarded"
    uncovered = once(proxy.data, request(target="/uncovered", headers=named))
    assert (uncovered.status, upstream.requests[-1]["x-read"]) == (200, None)


@pytest.mark.parametrize("enforcement, decision", [
    ({"mode": "shadow"}, "forwarded;shadow=bad-request"), ({"percent": 50}, "passed")])
def test_a_policy_that_is_not_enforced_for_all_drops_the_field_and_reads_nothing(stage, upstream, enforcement,
                                                                                 decision):
    proxy = stage.proxy(upstream, [policy(**READS["a fingerprint"], enforcement=enforcement)])
    answer = once(proxy.data, request(headers={"X-Read": "1", "Connection": "x-read"}))
    assert (answer.status, answer.decision) == (200, decision)
    assert upstream.requests[0]["x-read"] is None


@pytest.mark.parametrize("ids", [["x" * 129], ["a", "a"], [""]])
def test_a_request_id_that_would_be_replaced_is_refused_where_a_policy_reads_it(stage, upstream,
                                                                                ids):
    headers = [("X-Request-Id", one) for one in ids]
    proxy = stage.proxy(upstream, [policy(fingerprint=[{"header": "x-request-id"}])])
    refused = once(proxy.data, request(headers=headers))
    assert (refused.status, refused.problem) == (400, "bad-request")
    assert "X-Request-Id" in refused.json["detail"]
    kept = once(proxy.data, request(headers={"X-Request-Id": "x" * 128}))
    assert (kept.decision, upstream.requests[0]["x-request-id"]) == ("forwarded", "x" * 128)


TWINS = ["Onceproxy_Fence", "ONCEPROXY_Fingerprint", "onceproxy_anything", "X_Forwarded_For",
         "X-Forwarded_Proto", "x_forwarded_port", "X_Request-Id", "X_Envoy_Expected_Rq_Timeout_Ms",
         "Transfer_Encoding", "Content_Length", "Content_Type", "Idempotency_Key", "X_Order-Id",
         "X_Tier"]


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_a_service_that_takes_underscores_for_dashes_is_not_fooled(stage, upstream, target):
    """CGI, WSGI and PHP know fields as HTTP_ONCEPROXY_FENCE."""
    gold = policy(name="gold", match={"headers": {"x-tier": "gold"}},
                  fingerprint=[{"header": "x-order-id"}])
    proxy = stage.proxy(upstream, [gold, policy()])
    headers = [(name, "forged") for name in TWINS] + [("X_Mine", "1"), ("x_other_", "2")]
    seen = sent(proxy, upstream, target=target, headers=headers)
    assert not [pair for pair in seen.headers if pair[1] == "forged"]
    assert (seen["x_mine"], seen["x_other_"]) == ("1", "2")
    assert proxy.metrics().sum("onceproxy_twin_fields_dropped_total") == len(TWINS)


def test_a_field_that_a_policy_reads_by_a_name_with_an_underscore_has_twins_too(stage, upstream):
    proxy = stage.proxy(upstream, [policy(fingerprint=[{"header": "order_id"}])])
    seen = sent(proxy, upstream, headers={"Order_Id": "1", "Order-Id": "2"})
    assert (seen["order_id"], seen["order-id"]) == ("1", None)


def test_the_head_goes_through_as_it_came(proxy, upstream):
    """Names keep their case, values their bytes, repeated fields their order."""
    odd = [("X-oDD", "a  b"), ("x-odd", "\xe9t\xe9"), ("X-Empty", "")]
    seen = sent(proxy, upstream, target="/uncovered?q=%2F%5C&x=[1]|{}", headers=odd)
    assert seen.target == "/uncovered?q=%2F%5C&x=[1]|{}"
    assert [pair for pair in seen.headers if pair in odd] == odd


def test_absolute_form_is_taken_and_forwarded_in_origin_form(proxy, upstream):
    with Client(proxy.data) as client:
        data = request(target="http://shop.example/orders?a=1", key="a")
        assert client.exchange(data).decision == "forwarded"
    assert upstream.requests[0].target == "/orders?a=1"
    assert upstream.requests[0]["host"] == "shop.example"


def test_options_for_the_whole_server_passes(proxy, upstream):
    assert once(proxy.data, request("OPTIONS", "*")).status == 200
    assert upstream.requests[0].target == "*"


def test_unknown_methods_pass(proxy, upstream):
    for method in ("PURGE", "M-SEARCH", "get"):
        assert once(proxy.data, request(method, "/x")).status == 200
    assert [r.method for r in upstream.requests] == ["PURGE", "M-SEARCH", "get"]

"""What the upstream sees, and what clients can not make it see."""

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


def test_the_upstream_is_told_how_long_it_has(stage, upstream):
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

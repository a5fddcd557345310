"""Traces: the fields that the service gets, the spans that a collector gets, and what happens without a
collector."""

import re
import threading

import pytest

from harness import Client, eventually, request
from harness.client import once
from harness.collector import Collector

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def proxy(stage, upstream, collector):
    return traced(stage, upstream, collector.endpoint)


def traced(stage, upstream, endpoint, **changes):
    return stage.proxy(upstream, tracing={"endpoint": endpoint, **changes})


def order(key, traceparent=None, **headers):
    if traceparent:
        headers["traceparent"] = traceparent
    return request(target="/orders?token=secret", key=key, headers=headers)


def parts(header):
    match = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", header)
    assert match, header
    return match.groups()


def test_a_forwarded_request_is_a_span_with_its_steps_inside(proxy, upstream, collector):
    once(proxy.data, order("k", SAMPLED, tracestate="other=1"))
    spans = collector.spans(4, trace=TRACE)
    assert [(s.kind, s.name) for s in spans] == [
        ("server", "POST /orders"), ("internal", "reserve"), ("client", "POST"),
        ("internal", "settle")]
    server, reserve, client, settle = spans
    assert server.parent == PARENT
    assert {reserve.parent, client.parent, settle.parent} == {server.id}
    assert len({s.id for s in spans}) == 4
    assert server.begin <= reserve.begin <= reserve.end <= client.begin <= client.end
    assert client.end <= settle.end <= server.end
    sent = upstream.requests[0]
    assert parts(sent["traceparent"]) == (TRACE, client.id, "01")
    assert sent["tracestate"] == "other=1"


def test_spans_speak_the_semantic_conventions_and_tell_no_secret(proxy, upstream, collector):
    once(proxy.data, order("k", SAMPLED, **{"User-Agent": "test/1", "X-Request-Id": "id-1"}))
    server, _, client, _ = collector.spans(4, trace=TRACE)
    port = int(upstream.address.rpartition(":")[2])
    for name, value in {
            "http.request.method": "POST", "url.scheme": "http", "url.path": "/orders",
            "http.route": "/orders", "network.protocol.version": "1.1",
            "user_agent.original": "test/1", "http.response.status_code": 200,
            "client.address": "127.0.0.1", "onceproxy.decision": "forwarded",
            "onceproxy.policy": "orders", "onceproxy.request_id": "id-1",
            "onceproxy.fingerprint": upstream.requests[0]["onceproxy-fingerprint"]}.items():
        assert server[name] == value, name
    for name, value in {
            "http.request.method": "POST", "server.address": "127.0.0.1", "server.port": port,
            "url.full": f"http://127.0.0.1:{port}/orders",
            "http.response.status_code": 200}.items():
        assert client[name] == value, name
    assert not any(s.failed or s["error.type"] for s in (server, client))
    assert server.service["service.name"] == "onceproxy"
    assert "secret" not in str([s.data for s in collector.spans()])


def test_a_replay_has_no_forward_and_links_to_the_original(proxy, upstream, collector):
    once(proxy.data, order("k"))
    original, *_ = collector.spans(4)
    once(proxy.data, order("k", SAMPLED))
    server, reserve = collector.spans(2, trace=TRACE)
    assert server["onceproxy.decision"] == "replayed"
    assert reserve.name == "reserve"
    assert len(upstream.requests) == 1
    assert server.links == [(original.trace, original.id)]


def test_the_link_survives_a_crash(proxy, collector):
    once(proxy.data, order("k"))
    original, *_ = collector.spans(4)
    proxy.kill9()
    proxy.restart()
    once(proxy.data, order("k", SAMPLED))
    server, _ = collector.spans(2, trace=TRACE)
    assert server.links == [(original.trace, original.id)]


def test_an_original_that_was_not_sampled_is_not_linked_to(proxy, collector):
    once(proxy.data, order("k", UNSAMPLED))
    other = SAMPLED.replace("4bf9", "5bf9")
    once(proxy.data, order("k", other))
    server, _ = collector.spans(2, trace=TRACE.replace("4bf9", "5bf9"))
    assert (server["onceproxy.decision"], server.links) == ("replayed", [])


def test_an_uncovered_request_is_traced_too(proxy, upstream, collector):
    once(proxy.data, request("GET", "/x", headers={"traceparent": SAMPLED, "tracestate": "a=1"}))
    server, client = collector.spans(2, trace=TRACE)
    assert (server.name, server["onceproxy.decision"], client.parent) == ("GET", "passed", server.id)
    assert parts(upstream.requests[0]["traceparent"]) == (TRACE, client.id, "01")
    assert upstream.requests[0]["tracestate"] == "a=1"


def test_a_request_without_a_trace_begins_one(proxy, upstream, collector):
    once(proxy.data, order("k"))
    server, _, client, _ = collector.spans(4)
    assert server.parent is None
    assert parts(upstream.requests[0]["traceparent"]) == (server.trace, client.id, "03")


@pytest.mark.parametrize("bad", ["nonsense", SAMPLED.upper(), SAMPLED + "-x",
                                 f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"])
def test_a_malformed_traceparent_begins_a_trace_without_the_old_state(proxy, upstream, collector,
                                                                      bad):
    once(proxy.data, order("k", bad, tracestate="other=1"))
    server = collector.spans(4)[0]
    assert server.trace != TRACE and server.parent is None
    sent = upstream.requests[0]
    assert parts(sent["traceparent"])[0] == server.trace
    assert "tracestate" not in dict(sent.headers)


def test_a_parent_that_is_not_sampled_goes_on_as_it_came(proxy, upstream, collector):
    once(proxy.data, order("k", UNSAMPLED))
    once(proxy.data, order("later", SAMPLED))
    assert upstream.requests[0]["traceparent"] == UNSAMPLED
    assert len(collector.spans(4)) == 4  # the later one's alone


def test_the_access_log_names_the_trace(proxy):
    once(proxy.data, order("a", SAMPLED))
    once(proxy.data, order("b", UNSAMPLED))
    once(proxy.data, request("GET", "/x"))
    lines = proxy.access_log(3)
    assert [line["trace_id"] for line in lines if line["path"] == "/orders"] == [TRACE, TRACE]
    (other,) = [line["trace_id"] for line in lines if line["path"] == "/x"]
    assert re.fullmatch("[0-9a-f]{32}", other) and other != TRACE


def test_a_ratio_of_zero_records_only_what_the_parent_samples(stage, upstream, collector):
    proxy = traced(stage, upstream, collector.endpoint, sample_ratio=0, service_name="dispatch")
    once(proxy.data, order("own"))
    once(proxy.data, order("parent's", SAMPLED))
    spans = collector.spans(4)
    assert {s.trace for s in spans} == {TRACE}
    assert spans[0].service["service.name"] == "dispatch"
    assert parts(upstream.requests[0]["traceparent"])[2] == "02"


def test_without_tracing_everything_goes_on_as_it_came(stage, upstream):
    proxy = stage.proxy(upstream)
    for data in (order("k", "nonsense", tracestate="a=1"),
                 request("GET", "/x", headers={"traceparent": "nonsense", "tracestate": "a=1"}),
                 order("other")):
        once(proxy.data, data)
    for sent in upstream.requests[:2]:
        assert (sent["traceparent"], sent["tracestate"]) == ("nonsense", "a=1")
    assert "traceparent" not in dict(upstream.requests[2].headers)
    assert not any("trace_id" in line for line in proxy.access_log(3))


def test_an_upstream_that_is_not_there_is_a_failed_span(stage, collector):
    proxy = traced(stage, stage.upstream(listening=False), collector.endpoint)
    once(proxy.data, order("k", SAMPLED))
    server, _, client, _ = collector.spans(4, trace=TRACE)
    assert server.failed and server["error.type"] == "502"
    assert client.failed and client["error.type"] == "not_sent"
    assert client["http.response.status_code"] is None


def test_a_status_of_the_upstream_fails_its_span(stage, collector):
    upstream = stage.upstream(lambda exchange: exchange.answer(503))
    proxy = traced(stage, upstream, collector.endpoint)
    once(proxy.data, order("k", SAMPLED))
    server, _, client, _ = collector.spans(4, trace=TRACE)
    assert server["error.type"] == client["error.type"] == "503"
    assert server.failed and client.failed


def test_a_collector_that_is_away_costs_no_request(stage, upstream, collector):
    collector.close()
    proxy = traced(stage, upstream, collector.endpoint)
    with Client(proxy.data) as client:
        for n in range(200):
            assert client.call(key=f"key-{n}").status == 200
    line = proxy.stderr.wait_for(lambda line: line.get("message") == "spans are not taken",
                                 "a line that says so")
    assert line["endpoint"] == collector.endpoint
    assert proxy.terminate() == 0


def test_spans_that_are_not_accepted_are_sent_again(stage, upstream):
    collector = Collector(lambda number: 503 if number == 1 else 200)
    proxy = traced(stage, upstream, collector.endpoint)
    once(proxy.data, order("k", SAMPLED))
    assert len(collector.spans(4, trace=TRACE)) == 4
    assert collector.requests == 2
    eventually(lambda: proxy.metrics().sum("onceproxy_spans_exported_total") == 4, "4 exported")
    assert proxy.metrics().sum("onceproxy_spans_dropped_total") == 0
    collector.close()


def test_a_refused_batch_is_counted_as_dropped(stage, upstream):
    collector = Collector(lambda number: 400)
    proxy = traced(stage, upstream, collector.endpoint)
    once(proxy.data, order("k"))
    eventually(lambda: proxy.metrics().sum("onceproxy_spans_dropped_total") == 4, "4 dropped")
    assert proxy.metrics().sum("onceproxy_spans_exported_total") == 0
    collector.close()


def test_a_collector_that_does_not_answer_holds_up_neither_requests_nor_the_end(stage, upstream):
    asked, release = threading.Event(), threading.Event()

    def stuck(_):
        asked.set()
        release.wait()
        return 200

    collector = Collector(stuck)
    proxy = traced(stage, upstream, collector.endpoint)
    with Client(proxy.data) as client:
        assert client.call(key="first").status == 200
        assert asked.wait(60)
        for n in range(100):
            assert client.call(key=f"key-{n}").status == 200
    assert proxy.terminate() == 0
    release.set()
    collector.close()


def test_the_end_sends_what_is_left(proxy, collector):
    once(proxy.data, order("k", SAMPLED))
    assert proxy.terminate() == 0
    assert len(collector.spans(trace=TRACE)) == 4

"""Real Envoys that ask onceproxy about their requests (filter ext_proc), with the configuration that deploy/envoy
ships: the same decisions, answers and records as through the data port."""

import concurrent.futures
import json
import pathlib
import subprocess
import threading
import types

import grpc
import pytest
import yaml

from harness import PATIENCE, Client, crowd, eventually, policy, request
from harness.certificates import Authority
from harness.client import BrokenOff, once
from harness.envoy import TESTED, Envoy, prepared
from harness.upstream import executed, executed_after

WAIT = {"action": "wait", "timeout": "30s"}


SIDECAR = pathlib.Path(__file__).parents[2] / "deploy" / "envoy" / "ext-proc-sidecar.yaml"


def find(config, kind):
    """The typed configuration whose @type ends in `kind`, wherever it stands."""
    if isinstance(config, dict):
        if str(config.get("@type", "")).endswith(kind):
            return config
        config = list(config.values())
    found = (find(item, kind) for item in config) if isinstance(config, list) else ()
    return next(filter(None, found), None)


@pytest.fixture(params=TESTED)
def version(request):
    return request.param


class Door:
    """A service, onceproxy, and an Envoy in front of the one that asks the other."""

    def __init__(self, stage, version, directory):
        self.stage = stage
        self.version = version
        self.directory = directory
        self.envoys = []

    def open(self, handler=executed, policies=None, change=None, upstream=None, envoy="127.0.0.1:0", **changes):
        self.upstream = upstream or self.stage.upstream(handler)
        listen = envoy if isinstance(envoy, dict) else {"listen": envoy}
        self.proxy = self.stage.proxy(self.upstream, policies, envoy=listen, **changes)
        return self.put_envoy(change)

    def put_envoy(self, change=None):
        config = yaml.safe_load(SIDECAR.read_text())
        if change:
            change(config)
        host, port = self.proxy.listeners["envoy"]
        clusters = {"service": self.upstream.address}
        if port is not None:
            clusters["onceproxy"] = (host, port)
        config = prepared(config, clusters)
        if port is None:
            cluster = config["static_resources"]["clusters"][1]
            endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
            endpoint["address"] = {"pipe": {"path": host.removeprefix("unix:")}}
        self.envoy = Envoy(config, self.directory / f"envoy-{len(self.envoys)}", self.version, level="warning")
        self.envoys.append(self.envoy)
        self.data = self.envoy.listener()
        return self

    @property
    def told(self):
        """Whether this Envoy asks about answers of its own, too; 1.36 does not."""
        return not self.version.startswith("1.36.")

    def fails(self, answer, status, problem, envoys):
        """The answer says that the service did not: with `status`, or `envoys` where that is Envoy's own."""
        if self.told:
            assert (answer.status, answer.decision, answer.problem) == (status, "upstream-error", problem)
        else:
            assert (answer.status, answer.decision) == (envoys, None)

    def ask(self, *args, **kwargs):
        return once(self.data, request(*args, **kwargs))

    def records(self):
        return self.proxy.operator.get("/records")["items"]

    def record(self, state):
        """The one record there is, once it is in that state."""
        def found():
            records = self.records()
            return len(records) == 1 and records[0]["state"] == state and records[0]
        return eventually(found, f"one record, {state}; there are {self.records()}")


@pytest.fixture
def door(stage, version, directory):
    made = Door(stage, version, directory)
    yield made
    for envoy in made.envoys:
        if envoy.process.returncode is None:
            envoy.close()


def route_of(config):
    manager = find(config, "HttpConnectionManager")
    return manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]


def test_the_first_is_forwarded_and_its_duplicate_replayed(door):
    door.open()
    first = door.ask(key="a", body={"n": 1})
    again = door.ask(key="a", body={"n": 1})
    assert (first.status, first.decision, first.json) == (200, "forwarded", {"execution": 1})
    assert (again.status, again.decision, again.json) == (200, "replayed", {"execution": 1})
    assert again["idempotent-replayed"] == "true" and again["content-type"] == "application/json"
    assert first["x-request-id"] and again["x-request-id"] != first["x-request-id"]
    sent = door.upstream.requests[0]
    assert sent["onceproxy-fence"] and len(sent["onceproxy-fingerprint"]) == 64
    assert sent["x-request-id"] == first["x-request-id"]
    lines = door.proxy.access_log(2)
    assert sorted((line["decision"], line["status"], line["client"]) for line in lines) == [
        ("forwarded", 200, "127.0.0.1"), ("replayed", 200, "127.0.0.1")]


def test_both_doors_share_their_records(door):
    door.open()
    through_proxy = once(door.proxy.data, request(key="a", body={"n": 1}, target="/orders?x=1"))
    through_envoy = door.ask(key="a", body={"n": 1}, target="/orders?x=1")
    assert (through_proxy.decision, through_envoy.decision) == ("forwarded", "replayed")
    assert door.ask(key="b", body={"n": 2}, target="/./orders").decision == "forwarded"
    assert once(door.proxy.data, request(key="b", body={"n": 2}, target="/./orders")).decision == "replayed"
    assert door.upstream.executions == {"a": 1, "b": 1}


def test_what_no_policy_covers_passes_untouched(door):
    door.open()
    answer = door.ask("GET", "/other", headers={"Onceproxy-Fence": "7", "Onceproxy_Fence": "8"})
    assert answer.status == 200 and answer.decision is None
    sent = door.upstream.requests[0]
    assert sent["onceproxy-fence"] is None and sent["onceproxy_fence"] is None
    door.proxy.decided("passed", policy="")


def test_of_a_hundred_at_once_one_is_forwarded(door):
    finish = threading.Event()
    door.open(executed_after(finish), [policy(in_flight=WAIT)])
    finisher = threading.Thread(target=lambda: (door.upstream.wait_for_requests(1), finish.set()))
    finisher.start()
    answers = crowd(door.data, [request(key="a", body={"n": 1})] * 100)
    finisher.join()
    assert sorted(answer.decision for answer in answers) == ["forwarded"] + ["replayed"] * 99
    assert door.upstream.executions == {"a": 1}


def test_a_duplicate_waits_longer_than_envoys_own_patience(door):
    finish = threading.Event()

    def change(config):
        find(config, "ExternalProcessor")["message_timeout"] = "0.5s"

    door.open(executed_after(finish), [policy(in_flight=WAIT)], change)
    with Client(door.data) as first, Client(door.data) as second:
        first.send(request(key="a"))
        door.upstream.wait_for_requests(1)
        second.send(request(key="a"))
        eventually(lambda: door.envoy.stat("http.service.ext_proc.override_message_timeout_received") == 1, "more time")
        timer = threading.Timer(1.0, finish.set)  # what is claimed is that half a second passes
        timer.start()
        assert [client.read("POST").decision for client in (first, second)] == ["forwarded", "replayed"]


def test_a_duplicate_in_flight_is_refused(door):
    finish = threading.Event()
    door.open(executed_after(finish))
    with Client(door.data) as first:
        first.send(request(key="a"))
        door.upstream.wait_for_requests(1)
        second = door.ask(key="a")
        finish.set()
        assert (second.status, second.problem, second["retry-after"]) == (409, "in-flight", "1")
        assert first.read("POST").decision == "forwarded"


def test_another_payload_and_a_missing_key_are_refused(door):
    door.open()
    door.ask(key="a", body={"n": 1})
    assert (answer := door.ask(key="a", body={"n": 2})).status == 422 and answer.decision == "mismatch"
    assert (answer := door.ask(body={"n": 2})).status == 400 and answer.decision == "missing-key"
    assert door.ask(key="a", target="/orders/%2f").status == 400
    assert door.upstream.executions == {"a": 1}


def test_stale_closed_and_limited(door):
    entity = {"type": "job", "id": [{"body": "/job"}], "sequence": {"body": "/sequence"}}
    policies = [
        policy(name="jobs", match={"path": "/jobs"}, entity=entity,
               fingerprint=[{"body": "/job"}, {"body": "/sequence"}]),
        policy(name="ends", match={"path": "/end"}, fingerprint=[{"body": "/job"}],
               entity={"type": "job", "id": [{"body": "/job"}], "closes": "1h"}),
        policy(name="starts", match={"path": "/start"}, fingerprint=[{"body": "/job"}, {"body": "/n"}],
               entity={"type": "job", "id": [{"body": "/job"}], "unless_closed": True}),
        policy(name="limited", match={"path": "/limited"}, rate_limit={"limit": 1, "per": "1h", "by": [{"const": "x"}]}),
    ]
    door.open(policies=policies)
    assert door.ask(target="/jobs", body={"job": 1, "sequence": 5}).decision == "forwarded"
    assert door.ask(target="/jobs", body={"job": 1, "sequence": 4}).decision == "stale"
    assert door.ask(target="/end", body={"job": 1}).decision == "forwarded"
    assert door.ask(target="/start", body={"job": 1, "n": 1}).decision == "closed"
    assert door.ask(target="/limited", key="1").decision == "forwarded"
    limited = door.ask(target="/limited", key="2")
    assert (limited.status, limited.decision) == (429, "rate-limited") and int(limited["retry-after"]) > 1000


def test_a_reset_before_the_answer_leaves_the_outcome_unknown(door):
    door.open(lambda exchange: exchange.connection.close())
    door.fails(door.ask(key="a"), 502, "upstream-unreachable", envoys=503)
    door.record("unknown")
    assert door.ask(key="a").decision == "held"
    assert door.upstream.executions == {"a": 1}


def test_an_answer_that_breaks_off_is_done_and_not_replayable(door):
    seen = threading.Event()

    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        seen.wait()
        exchange.connection.close()

    door.open(handler)
    with Client(door.data) as client:
        client.send(request(key="a"))
        while b"half" not in client.buffer:
            assert client.receive()
        seen.set()
        with pytest.raises(BrokenOff):
            client.read("POST")
    assert door.record("completed")["status"] == 200
    assert door.ask(key="a").decision == "not-replayable"
    assert door.upstream.executions == {"a": 1}


def test_a_service_that_cannot_be_reached_frees_the_key(door):
    upstream = door.stage.upstream(listening=False)
    door.open(upstream=upstream)
    door.fails(door.ask(key="a"), 502, "upstream-unreachable", envoys=503)
    if not door.told:
        door.record("unknown")
        return
    eventually(lambda: not door.records(), "the key is free")
    upstream.listen()
    assert door.ask(key="a").decision == "forwarded"


def test_a_service_that_takes_too_long(door):
    finish = threading.Event()
    door.open(executed_after(finish), change=lambda config: route_of(config).update(timeout="0.5s"))
    answer = door.ask(key="a")
    finish.set()
    door.fails(answer, 504, "upstream-timeout", envoys=504)
    door.record("unknown")


def test_a_client_that_leaves_leaves_the_outcome_unknown(door):
    finish = threading.Event()
    door.open(executed_after(finish))
    with Client(door.data) as client:
        client.send(request(key="a"))
        door.upstream.wait_for_requests(1)
    door.record("unknown")
    finish.set()
    assert door.ask(key="a").decision == "held"


def test_a_client_that_leaves_within_its_body_reserves_nothing(door):
    door.open()
    with Client(door.data) as client:
        client.send(request(key="a", body="x" * 100)[:-50])
        eventually(lambda: door.envoy.stat("http.service.ext_proc.stream_msgs_sent") == 1, "the head is told")
    door.proxy.decided("bad-request")
    assert not door.records() and not door.upstream.requests


def test_bodies_above_the_limit(door):
    door.open(limits={"body_bytes": "64KiB"})
    assert (answer := door.ask(key="a", body=b"x" * 70_000)).status == 413 and answer.decision == "bad-request"
    chunked = b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"11170\r\n" + b"x" * 70_000 + b"\r\n0\r\n\r\n"
    assert once(door.data, chunked + body).status == 413
    # Above what Envoy itself holds.
    assert once(door.data, request(key="c", body=b"x" * 4_000_000)).status == 413
    assert door.ask("PUT", "/other", body=b"x" * 4_000_000).status == 200
    assert not door.records() and len(door.upstream.requests) == 1


def test_chunked_and_large_bodies_go_through_whole(door):
    large = bytes(range(256)) * 800

    def handler(exchange):
        exchange.answer(200, large if exchange.request["idempotency-key"] == "kept" else large * 20, chunked=True)

    door.open(handler)
    chunked = b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: kept\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = chunked + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    first, again = once(door.data, data), once(door.data, data)
    assert (first.decision, again.decision) == ("forwarded", "replayed")
    assert first.body == large and again.body == large
    assert door.upstream.requests[0].body == b"hello world"
    assert door.ask(key="large").body == large * 20
    assert door.ask(key="large").decision == "not-replayable"


def test_fields_that_are_repeated_stay_so(door):
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    door.open(lambda exchange: exchange.answer(200, b"x", headers=cookies), [policy(replay={"drop_headers": []})])
    for decision in ("forwarded", "replayed"):
        answer = door.ask(key="a")
        assert (answer.decision, answer.all("set-cookie")) == (decision, ["a=1", "b=2"])


def test_bodiless_answers_and_other_statuses(door):
    def handler(exchange):
        exchange.answer(int(exchange.request["idempotency-key"]), headers={"X-Custom": "1"})

    door.open(handler)
    for status in (204, 404, 503):
        first, again = door.ask(key=str(status)), door.ask(key=str(status))
        assert first.status == again.status == status
        # A failure of the service frees the key.
        assert again.decision == ("forwarded" if status == 503 else "replayed")
        assert again["x-custom"] == "1"


def test_trailers_pass_and_end_an_answer(door):
    def change(config):
        find(config, "HttpConnectionManager")["http_protocol_options"] = {"enable_trailers": True}
        service = config["static_resources"]["clusters"][0]
        service["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}}}}

    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
                      b"4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n")

    door.open(handler, change=change)
    with Client(door.data) as client:
        client.send(request(key="a"))
        door.record("completed")
        eventually(lambda: b"\r\n\r\n" in client.buffer[-40:] and client.buffer.endswith(b"\r\n\r\n")
                   or not client.receive() or None, "an answer")
        assert b"0\r\nx-sum: 1\r\n\r\n" in client.buffer
    again = door.ask(key="a")
    assert (again.decision, again.body) == ("replayed", b"body")


def test_what_envoys_router_sends_again_is_one_admitted_request(door):
    """Why retries on covered routes are advised against: onceproxy sees one request, the service two."""
    def handler(exchange):
        if exchange.execution == 1:
            exchange.connection.close()
        else:
            executed(exchange)

    def change(config):
        route_of(config)["retry_policy"] = {"retry_on": "reset", "num_retries": 2}

    door.open(handler, change=change)
    assert door.ask(key="a").json == {"execution": 2}
    assert door.ask(key="a").decision == "replayed"
    assert door.upstream.executions == {"a": 2}


def test_a_connection_failure_after_a_retry_frees_nothing(door):
    def handler(exchange):
        door.upstream.go_down()

    def change(config):
        route_of(config)["retry_policy"] = {"retry_on": "reset,connect-failure", "num_retries": 1}

    door.open(handler, change=change)
    door.fails(door.ask(key="a"), 502, "upstream-unreachable", envoys=503)
    door.record("unknown")


def test_while_onceproxy_is_away_nothing_goes_through(door):
    door.open()
    door.ask(key="a")
    door.proxy.kill9()
    for target in ("/orders", "/other"):
        assert door.ask(key="b", target=target).status in (500, 503)
    assert len(door.upstream.requests) == 1


def half_an_answer(finish):
    """A handler that answers `half` by half, once more is wanted, and everything else after `finish`."""
    def handler(exchange):
        if exchange.request["idempotency-key"] == "half":
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.")
            finish.wait()
            exchange.send(b"whole")
        else:
            finish.wait()
            executed(exchange)

    return handler


def read_half(client):
    while b"half." not in client.buffer:
        assert client.receive()


def test_onceproxy_killed_in_each_phase(door):
    """What was let through and not settled is held until its lease ends; nothing is done twice."""
    finish = threading.Event()
    door.open(half_an_answer(finish))
    with Client(door.data) as within_body, Client(door.data) as in_flight, Client(door.data) as answered:
        within_body.send(request(key="body", body="x" * 100)[:-50])
        in_flight.send(request(key="flight"))
        answered.send(request(key="half"))
        door.upstream.wait_for_requests(2)
        read_half(answered)
        door.proxy.kill9()
        assert in_flight.read("POST").status == 500
        assert within_body.read("POST").status == 500
        with pytest.raises(BrokenOff):
            answered.read("POST")
    finish.set()
    door.proxy.restart()
    door.envoy.close()
    door.put_envoy()
    assert door.ask(key="flight").decision == "held"
    assert door.ask(key="half").decision == "held"
    assert door.ask(key="body", body="x" * 100).decision == "forwarded"
    assert door.upstream.executions == {"flight": 1, "half": 1, "body": 1}


def test_a_client_that_leaves_within_its_answer(door):
    finish = threading.Event()
    door.open(half_an_answer(finish))
    with Client(door.data) as client:
        client.send(request(key="half"))
        read_half(client)
    assert door.record("completed")["status"] == 200
    finish.set()
    assert door.ask(key="half").decision == "not-replayable"
    assert door.upstream.executions == {"half": 1}


def test_a_drain_lets_what_is_under_way_end(door):
    finish = threading.Event()
    door.open(executed_after(finish))
    with Client(door.data) as client:
        client.send(request(key="a"))
        door.upstream.wait_for_requests(1)
        door.proxy.begin_drain()
        eventually(lambda: "draining" in door.proxy.stderr.text(), "the drain")
        finish.set()
        answer = client.read("POST")
    assert (answer.status, answer.decision) == (200, "forwarded")
    assert door.proxy.wait() == 0


def test_a_reload_is_in_force_for_the_next_request(door):
    door.open()
    assert door.ask(key="a", target="/later").decision is None
    settings = dict(door.proxy.settings, policies=[policy(match={"path": "/later"})])
    door.proxy.configure(settings)
    assert door.proxy.operator.post("/reload")[0] == 200
    assert door.ask(key="a", target="/later").decision == "forwarded"
    assert door.ask(key="a", target="/later").decision == "replayed"


def test_a_unix_socket(door):
    door.open(envoy=f"unix:{door.directory}/envoy.sock")
    assert [door.ask(key="a").decision for _ in range(2)] == ["forwarded", "replayed"]


def test_tls_with_certificates_of_both(door):
    authority = Authority()
    certificate, key = authority.issue("onceproxy").write(door.directory, "onceproxy")
    own_certificate, own_key = authority.issue("envoy").write(door.directory, "envoy")
    ca = str(authority.write_ca(door.directory))

    def change(config):
        chain = [{"certificate_chain": {"filename": str(own_certificate)}, "private_key": {"filename": str(own_key)}}]
        config["static_resources"]["clusters"][1]["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "common_tls_context": {"tls_certificates": chain,
                                       "validation_context": {"trusted_ca": {"filename": ca}}}}}

    tls = {"certificate": str(certificate), "key": str(key), "client_ca": ca, "client_certificate": "required"}
    door.open(envoy={"listen": {"address": "127.0.0.1:0", "tls": tls}}, change=change)
    assert [door.ask(key="a").decision for _ in range(2)] == ["forwarded", "replayed"]
    assert door.proxy.metrics().sum("onceproxy_tls_handshakes_total", listener="envoy") > 0


def test_a_client_of_http2(door):
    door.open()
    url = "http://%s:%d/orders" % door.data
    for decision in ("forwarded", "replayed"):
        said = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-i", "-H", "Idempotency-Key: a", "-d", "{}", url],
                              capture_output=True, text=True, timeout=PATIENCE)
        head, _, body = said.stdout.replace("\r", "").partition("\n\n")
        assert head.startswith("HTTP/2 200") and f"onceproxy-decision: {decision}" in head, said
        assert json.loads(body) == {"execution": 1}


def test_a_unary_call_of_grpc_is_done_once(door):
    """Its answer is not replayed: what gRPC says stands in trailers."""
    done = []
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    method = grpc.unary_unary_rpc_method_handler(lambda message, _: done.append(message) or b"done:" + message)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Orders", {"Place": method})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def change(config):
        protocol = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        config["static_resources"]["clusters"][0]["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": protocol, "explicit_http_config": {"http2_protocol_options": {}}}}

    service = types.SimpleNamespace(address=f"127.0.0.1:{port}")
    door.open(policies=[policy(match={"path": "/shop.Orders/Place"})], change=change, upstream=service)
    with grpc.insecure_channel("%s:%d" % door.data) as channel:
        call = channel.unary_unary("/shop.Orders/Place")
        key = (("idempotency-key", "a"),)
        assert call(b"x", metadata=key, timeout=PATIENCE) == b"done:x"
        door.record("completed")
        with pytest.raises(grpc.RpcError):
            call(b"x", metadata=key, timeout=PATIENCE)
        door.proxy.decided("not-replayable")
    server.stop(None)
    assert done == [b"x"]


def test_shadow_mode_changes_nothing(door):
    door.open(policies=[policy(enforcement={"mode": "shadow"})])
    assert [door.ask(key="a").decision for _ in range(2)] == ["forwarded;shadow=forwarded",
                                                              "forwarded;shadow=replayed"]
    assert door.upstream.executions == {"a": 2}


def test_a_filter_that_could_enforce_nothing_is_refused(door):
    def change(config):
        find(config, "ExternalProcessor")["send_body_without_waiting_for_header_response"] = True

    door.open(change=change)
    assert door.ask(key="a", body="x").status == 500
    assert door.ask("GET", "/other").status == 200
    assert door.upstream.executions == {"/other": 1}
